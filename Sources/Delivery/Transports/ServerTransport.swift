import Cryptography
import DNS
import MessageFormat
import Networking
import SMTP
import SMTPClient

/// Mail goes to one server that the operator has named, which sends it on or keeps it: a smarthost, or one that speaks LMTP.
struct ServerTransport: Sendable {
  private let resolver: any Resolving
  private let lookup: ExchangerLookup
  private let settings: OutboundSettings

  init(resolver: any Resolving, settings: OutboundSettings) {
    self.resolver = resolver
    self.settings = settings
    lookup = ExchangerLookup(resolver: resolver)
  }

  func way(to server: MailServerPlace, tls: TLSMinimum) async -> TransportWay {
    switch server.place {
    case .socket(let path): return hosts([HostAddress(socket: path)], session(server, .never))
    case .host(let text, let port):
      guard let host = DomainName(text) ?? IPAddress(text).flatMap({ DomainName($0.description) }) else {
        return unknown("\(text) is not a host")
      }
      do {
        let found =
          if let address = IPAddress(text) {
            HostAddresses(host: host, addresses: [address], tlsaBases: [])
          } else {
            try await lookup.addresses(of: host)
          }
        guard !found.addresses.isEmpty else { return unknown("\(host) has no address") }
        guard let policy = try await policy(for: server, found, port, tls) else {
          return unknown("\(host) has no TLSA records that count")
        }
        return hosts(
          found.addresses.map {
            HostAddress(name: text, address: $0, port: port, source: settings.source(for: $0))
          }, session(server, policy))
      } catch {
        return unknown("\(host): \(error)")
      }
    }
  }

  private func session(_ server: MailServerPlace, _ tls: TLSPolicy) -> ClientSettings {
    var session = settings.session(tls)
    session.dialect = server.dialect
    session.credentials = server.credentials
    return session
  }

  private func hosts(_ targets: [HostAddress], _ session: ClientSettings) -> TransportWay {
    .hosts(KnownHostWalk(targets, session, whenRefused: .waits))
  }

  /// Nil where there are no TLSA records, and nothing else would do.
  private func policy(
    for server: MailServerPlace, _ found: HostAddresses, _ port: UInt16, _ minimum: TLSMinimum
  ) async throws -> TLSPolicy? {
    let context: TLSClientContext
    var name = found.host.text
    switch minimum {
    case .opportunistic, .required: context = try TLSClientContext(verification: .none)
    case .verified: context = try TLSClientContext(verification: settings.authorities)
    case .dane:
      // The operator has named the host, so it needs no MX record that is signed.
      let hosts = MailHosts(names: [found.host], security: .secure, isImplicit: true, domainNames: [])
      let decision = try await TransportSecurity(resolver: resolver, port: port)
        .decide(found, of: hosts, domain: found.host, policy: nil)
      guard case .secured(let secured) = decision, let secured = secured.raised(to: .dane) else { return nil }
      context = try secured.makeContext(authorities: settings.authorities)
      name = secured.serverName.text
    }
    let tls = ClientTLS(context: context, serverName: name)
    if server.isImplicitTLS { return .fromTheStart(tls) }
    return minimum == .opportunistic ? .opportunistic(tls) : .required(tls)
  }

  private func unknown(_ text: String) -> TransportWay {
    .unknown(DeliveryNote(.delayed, EnhancedStatus(4, 4, 3), explanation: text))
  }
}
