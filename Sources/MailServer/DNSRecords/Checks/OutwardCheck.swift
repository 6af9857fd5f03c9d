import DNS
import Delivery
package import Networking

/// What became of a call to another mail server.
package enum DialOutcome: Hashable, Sendable {
  /// It greeted with 220.
  case greeted
  /// In words.
  case failed(String)
}

/// Does mail get out? Many networks let nobody connect to port 25.
struct OutwardCheck: DNSCheck {
  /// Its servers greet everybody.
  static let provider = "gmail.com"

  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    if let smarthost = world.identity.smarthost {
      return [DNSFinding(.right, "port 25", "", "mail leaves through \(smarthost), which needs no port 25 of yours")]
    }
    guard let dial = world.dial, let provider = DomainName(Self.provider) else { return [] }
    let exchangers = try await world.answer(MailExchangerRecord.self, at: provider, for: "port 25").records
    guard let host = exchangers.min(by: { $0.preference < $1.preference })?.host else {
      return [
        DNSFinding(.warning, "port 25", provider.text, "not tried: DNS here knows no mail servers of \(provider)")
      ]
    }
    // IPv4 first: where only one of the two works, that is it.
    let addresses = try await world.addresses(of: host, for: "port 25").prefix(2)
    var problem = "it has no address"
    for address in addresses {
      switch await dial(address) {
      case .greeted: return [DNSFinding(.right, "port 25", host.text, "\(host) [\(address)] answers: mail gets out")]
      case .failed(let text): problem = "[\(address)] \(text)"
      }
    }
    return [
      DNSFinding(
        .failure, "port 25", host.text, "\(host) does not answer (\(problem)): mail does not get out",
        remedy: "ask your provider to open port 25 outward, or hand mail to a server that may send: outbound.smarthost")
    ]
  }
}

/// Connects and waits for the greeting.
/// - Parameters:
///   - sources: addresses of this machine; the one of the same family is used.
///   - timeout: for each of the two.
package func dial(
  _ address: IPAddress, port: UInt16, from sources: [IPAddress], timeout: Duration = .seconds(10)
) async -> DialOutcome {
  let source = sources.first { $0.isIPv6 == address.isIPv6 }
  let connection: Connection
  do throws(ConnectionError) {
    connection = try await ClientConnection.connect(
      to: .address(address, port: port, source: source), timeout: timeout)
  } catch {
    switch error {
    case .timedOut: return .failed("no answer within \(timeout.components.seconds) s")
    case .unreachable(let text): return .failed(text)
    case .closed, .handshakeFailed: return .failed("the connection was closed")
    }
  }
  defer { connection.close() }
  while true {
    switch connection.received.takeLine(limit: 2_048, ending: .crlfOrLF) {
    case .line(let line):
      return line.starts(with: "220".utf8) ? .greeted : .failed("says \(shown(line))")
    case .tooLong: return .failed("says something that is no greeting")
    case .needsMore:
      guard case .bytes = await connection.waitForInput(timeout: timeout) else {
        return .failed("connects, and nothing comes: something in between listens instead")
      }
    }
  }
}
