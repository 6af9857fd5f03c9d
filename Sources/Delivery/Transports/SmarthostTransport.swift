import Cryptography
package import DNS
import Networking
import SMTP
package import SMTPClient

/// All mail goes to one server, which sends it on: for those whose port 25 is closed.
package struct SmarthostTransport: MailTransport {
  /// The server, and who we are to it.
  package struct Smarthost: Sendable {
    package enum Encryption: Sendable {
      /// STARTTLS, and nothing without it.
      case startTLS
      /// From the first octet.
      case implicit
      /// None: only on a machine or network of our own.
      case none
    }

    package var host: DomainName
    package var port: UInt16
    package var encryption: Encryption
    package var credentials: Credentials?
    package init(host: DomainName, port: UInt16, encryption: Encryption, credentials: Credentials?) {
      self.host = host
      self.port = port
      self.encryption = encryption
      self.credentials = credentials
    }
  }

  private let smarthost: Smarthost
  private let lookup: ExchangerLookup
  private let settings: OutboundSettings

  package init(_ smarthost: Smarthost, resolver: any Resolving, settings: OutboundSettings) {
    self.smarthost = smarthost
    self.settings = settings
    lookup = ExchangerLookup(resolver: resolver)
  }

  package func place(of destination: String) -> String { smarthost.host.text }

  package func way(to destination: String) async -> TransportWay {
    var session = settings.session(.never)
    session.credentials = smarthost.credentials
    do {
      if smarthost.encryption != .none {
        let tls = ClientTLS(
          context: try TLSClientContext(verification: settings.authorities), serverName: smarthost.host.text)
        session.tls = smarthost.encryption == .implicit ? .fromTheStart(tls) : .required(tls)
      }
      let addresses: [IPAddress]
      if let address = IPAddress(smarthost.host.text) {
        addresses = [address]
      } else {
        addresses = try await lookup.addresses(of: smarthost.host).addresses
      }
      guard !addresses.isEmpty else { return unknown("\(smarthost.host) has no address") }
      let targets = addresses.map {
        HostAddress(
          name: smarthost.host.text, address: $0, port: smarthost.port, source: settings.source(for: $0))
      }
      return .hosts(SmarthostWalk(targets: targets, settings: session))
    } catch {
      return unknown("\(smarthost.host): \(error)")
    }
  }

  private func unknown(_ text: String) -> TransportWay {
    .unknown(DeliveryNote(.delayed, EnhancedStatus(4, 4, 3), explanation: text))
  }
}

/// The addresses of the smarthost. What is wrong with how we are known to it can be put right: nothing comes back for it.
struct SmarthostWalk: HostWalk {
  let targets: [HostAddress]
  let settings: ClientSettings
  private(set) var lastFailure: DeliveryNote?
  private var position = 0

  init(targets: [HostAddress], settings: ClientSettings) {
    self.targets = targets
    self.settings = settings
  }

  mutating func restart() {
    position = 0
    lastFailure = nil
  }

  mutating func next() async -> OpenSession? {
    while position < targets.count, !Task.isCancelled {
      let target = targets[position]
      position += 1
      do throws(HostFailure) {
        let session = try await ClientSession.connect(to: target, settings: settings)
        return OpenSession(session: session, host: "\(target)")
      } catch {
        var note = DeliveryNote(error, host: "\(target)")
        note.action = .delayed
        if note.status.category == 5 { note.status = EnhancedStatus(4, note.status.subject, note.status.detail) }
        lastFailure = note
      }
    }
    return nil
  }
}
