package import Cryptography
package import DNS
package import MessageFormat
package import Networking
import SMTP
package import SMTPClient

/// Mail goes to the hosts that a domain names in DNS, with the TLS that each is owed.  RFC 5321 §5.1.
package struct ExchangerTransport: MailTransport {
  private let lookup: ExchangerLookup
  private let security: TransportSecurity
  private let policies: PolicyDiscovery?
  private let settings: OutboundSettings

  /// - Parameters:
  ///   - ownNames: names that hosts of ours have in MX records.
  ///   - policies: nil: MTA-STS is not looked for.
  package init(
    resolver: any Resolving, ownNames: Set<DomainName>, policies: PolicyDiscovery?, settings: OutboundSettings
  ) {
    lookup = ExchangerLookup(resolver: resolver, ownNames: ownNames)
    security = TransportSecurity(resolver: resolver, port: settings.port)
    self.policies = policies
    self.settings = settings
  }

  package func way(to destination: String) async -> TransportWay {
    guard let domain = Domain(destination) else {
      return .none(DeliveryNote(.failed, EnhancedStatus(5, 1, 2), explanation: "\(destination) is not a domain"))
    }
    var generator = SystemRandomNumberGenerator()
    let route: MailRoute
    do throws(ResolutionError) {
      route = try await lookup.route(for: domain, using: &generator)
    } catch {
      return .unknown(
        DeliveryNote(.delayed, EnhancedStatus(4, 4, 3), explanation: "its mail servers are not known: \(error)"))
    }
    func failed(_ status: EnhancedStatus, _ text: String) -> TransportWay {
      .none(DeliveryNote(.failed, status, explanation: text))
    }
    switch route {
    case .hosts(let hosts):
      guard let name = DomainName(domain) else { return failed(EnhancedStatus(5, 1, 2), "there is no such domain") }
      let policy = await policies?.policy(of: name).kept?.policy
      return .hosts(
        ExchangerWalk(
          hosts: hosts, domain: name, policy: policy, lookup: lookup, security: security, settings: settings))
    case .address(let address):
      return .hosts(FixedHostWalk(HostAddress(name: destination, address: address, port: settings.port), settings))
    case .nullMX: return failed(EnhancedStatus(5, 1, 10), "the domain \(domain) takes no mail")
    case .noSuchDomain: return failed(EnhancedStatus(5, 1, 2), "there is no domain \(domain)")
    case .noHosts: return failed(EnhancedStatus(5, 4, 4), "the domain \(domain) has no mail server that can be reached")
    case .leadsBack: return failed(EnhancedStatus(5, 4, 6), "mail for \(domain) leads back to this server")
    }
  }
}

/// What all sessions with other servers share.
package struct OutboundSettings: Sendable {
  /// Our name in EHLO.
  package var name: String
  package var port: UInt16 = 25
  /// Addresses of this machine to come from, one for each family at most.
  package var sources: [IPAddress] = []
  /// Whom certificates have to come from where names count: of a smarthost, of hosts under MTA-STS.
  package var authorities = TLSClientContext.Verification.system
  package var limits = ClientLimits()
  package var trace: (@Sendable (_ connectionID: String, TraceDirection, [UInt8]) -> Void)?
  package init(name: String) { self.name = name }

  func session(_ tls: TLSPolicy) -> ClientSettings {
    var settings = ClientSettings(name: name, tls: tls)
    settings.limits = limits
    settings.trace = trace
    return settings
  }

  func source(for address: IPAddress) -> IPAddress? { sources.first { $0.isIPv6 == address.isIPv6 } }
}

/// Walks over the hosts of a domain, and the addresses of each.
struct ExchangerWalk: HostWalk {
  let hosts: MailHosts
  let domain: DomainName
  let policy: MTASTSPolicy?
  let lookup: ExchangerLookup
  let security: TransportSecurity
  let settings: OutboundSettings

  private(set) var lastFailure: DeliveryNote?
  private var nextHost = 0
  private var addresses: [IPAddress] = []
  private var secured: HostSecurity?
  private var host = ""

  init(
    hosts: MailHosts, domain: DomainName, policy: MTASTSPolicy?, lookup: ExchangerLookup, security: TransportSecurity,
    settings: OutboundSettings
  ) {
    self.hosts = hosts
    self.domain = domain
    self.policy = policy
    self.lookup = lookup
    self.security = security
    self.settings = settings
  }

  mutating func restart() {
    nextHost = 0
    addresses = []
    lastFailure = nil
  }

  mutating func next() async -> OpenSession? {
    while !Task.isCancelled {
      if addresses.isEmpty {
        guard nextHost < hosts.names.count else { return nil }
        await look(at: hosts.names[nextHost])
        nextHost += 1
        continue
      }
      if let open = await connect(to: addresses.removeFirst()) { return open }
    }
    return nil
  }

  private mutating func look(at name: DomainName) async {
    host = name.text
    do throws(ResolutionError) {
      let found = try await lookup.addresses(of: name)
      if found.addresses.isEmpty { return fail(EnhancedStatus(4, 4, 4), "\(name) has no address") }
      switch try await security.decide(found, of: hosts, domain: domain, policy: policy) {
      case .secured(let secured):
        self.secured = secured
        addresses = found.addresses
      case .refused(let failure, _): fail(EnhancedStatus(4, 7, 5), failure.description)
      }
    } catch {
      fail(EnhancedStatus(4, 4, 3), "\(name): \(error)")
    }
  }

  private mutating func connect(to address: IPAddress) async -> OpenSession? {
    let target = HostAddress(
      name: host, address: address, port: settings.port, source: settings.source(for: address))
    let tls: TLSPolicy
    do {
      tls = try policy(for: secured)
    } catch {
      fail(EnhancedStatus(4, 7, 5), "\(error)", at: "\(target)")
      return nil
    }
    do throws(HostFailure) {
      let session = try await ClientSession.connect(to: target, settings: settings.session(tls))
      return OpenSession(session: session, host: "\(target)")
    } catch {
      lastFailure = DeliveryNote(error, host: "\(target)")
      return nil
    }
  }

  /// What the host is owed, as a session has it.
  private func policy(for secured: HostSecurity?) throws(CertificateError) -> TLSPolicy {
    guard let secured else { return .never }
    let tls = ClientTLS(
      context: try secured.makeContext(authorities: settings.authorities), serverName: secured.serverName.text)
    return secured.requiresTLS ? .required(tls) : .opportunistic(tls)
  }

  private mutating func fail(_ status: EnhancedStatus, _ text: String, at host: String? = nil) {
    lastFailure = DeliveryNote(.delayed, status, host: host, explanation: text)
  }
}

/// One host at a known address, without verification.
struct FixedHostWalk: HostWalk {
  let host: HostAddress
  let settings: OutboundSettings
  private(set) var lastFailure: DeliveryNote?
  private var isDone = false

  init(_ host: HostAddress, _ settings: OutboundSettings) {
    self.host = host
    self.settings = settings
  }

  mutating func restart() {
    isDone = false
    lastFailure = nil
  }

  mutating func next() async -> OpenSession? {
    guard !isDone else { return nil }
    isDone = true
    var target = host
    target.source = settings.source(for: host.address)
    do {
      let tls = ClientTLS(context: try TLSClientContext(verification: .none), serverName: host.name)
      let session = try await ClientSession.connect(to: target, settings: settings.session(.opportunistic(tls)))
      return OpenSession(session: session, host: "\(target)")
    } catch let error as HostFailure {
      lastFailure = DeliveryNote(error, host: "\(target)")
    } catch {
      lastFailure = DeliveryNote(.delayed, EnhancedStatus(4, 7, 5), host: "\(target)", explanation: "\(error)")
    }
    return nil
  }
}

extension DeliveryNote {
  /// Why there was no session with a host.
  init(_ failure: HostFailure, host: String) {
    self.init(
      failure.isPermanent ? .failed : .delayed, failure.status, host: host, reply: failure.reply.map { "\($0)" },
      explanation: failure.description)
  }
}
