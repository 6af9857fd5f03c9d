package import Cryptography
package import DNS
import MessageFormat
package import Networking
import SMTP
package import SMTPClient

/// Mail goes to the hosts that a domain names in DNS, with the TLS that each is owed.  RFC 5321 §5.1.
package struct ExchangerTransport: Sendable {
  private let lookup: ExchangerLookup
  private let security: TransportSecurity
  private let policies: PolicyDiscovery?
  private let results: TLSResultCounter?
  private let settings: OutboundSettings

  /// - Parameters:
  ///   - ownNames: names that hosts of ours have in MX records.
  ///   - policies: nil: MTA-STS is not looked for.
  ///   - results: counts what comes of TLS; nil: nobody does.
  package init(
    resolver: any Resolving, ownNames: Set<DomainName>, policies: PolicyDiscovery?, results: TLSResultCounter? = nil,
    settings: OutboundSettings
  ) {
    lookup = ExchangerLookup(resolver: resolver, ownNames: ownNames)
    security = TransportSecurity(resolver: resolver, port: settings.port)
    self.policies = policies
    self.results = results
    self.settings = settings
  }

  /// - Parameter tls: what the hosts must have at least.
  func way(
    to text: String, assurance: QueueDestination.Assurance, tls: TLSMinimum
  ) async -> TransportWay {
    guard let domain = Domain(text) else {
      return .none(DeliveryNote(.failed, EnhancedStatus(5, 1, 2), explanation: "\(text) is not a domain"))
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
      var walk = ExchangerWalk(hosts: hosts, domain: name, minimum: tls, lookup: lookup, settings: settings)
      if assurance == .policy {
        walk.security = security
        walk.discovery = await policies?.policy(of: name)
        walk.results = results
      }
      return .hosts(walk)
    case .address(let address): return way(to: address, named: text, tls)
    case .nullMX: return failed(EnhancedStatus(5, 1, 10), "the domain \(domain) takes no mail")
    case .noSuchDomain: return failed(EnhancedStatus(5, 1, 2), "there is no domain \(domain)")
    case .noHosts: return failed(EnhancedStatus(5, 4, 4), "the domain \(domain) has no mail server that can be reached")
    case .leadsBack: return failed(EnhancedStatus(5, 4, 6), "mail for \(domain) leads back to this server")
    }
  }

  /// RFC 5321 §4.1.3: an address literal.
  private func way(to address: IPAddress, named name: String, _ minimum: TLSMinimum) -> TransportWay {
    func unknown(_ text: String) -> TransportWay {
      .unknown(DeliveryNote(.delayed, EnhancedStatus(4, 7, 5), explanation: text))
    }
    guard minimum < .dane else { return unknown("an address has no TLSA records") }
    do throws(CertificateError) {
      let context = try TLSClientContext(verification: minimum == .verified ? settings.authorities : .none)
      let tls = ClientTLS(context: context, serverName: address.description)
      let host = HostAddress(
        name: name, address: address, port: settings.port, source: settings.source(for: address))
      return .hosts(
        KnownHostWalk(
          [host], settings.session(minimum == .opportunistic ? .opportunistic(tls) : .required(tls)),
          whenRefused: .isFinal))
    } catch {
      return unknown("\(error)")
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
  /// After this no further host of a destination is tried: each may take its time, and there may be dozens.
  package var longestSearch: Duration = .seconds(600)
  package var clock = SteadyClock.system
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
  let minimum: TLSMinimum
  let lookup: ExchangerLookup
  let settings: OutboundSettings
  /// Nil: each host is owed what it offers, and no more.
  var security: TransportSecurity?
  /// The domain's MTA-STS policy, and what went wrong with it.
  var discovery: PolicyDiscovery.Finding?
  var results: TLSResultCounter?

  private(set) var lastFailure: DeliveryNote?
  private var nextHost = 0
  private var addresses: [IPAddress] = []
  private var secured: HostSecurity?
  private var host: DomainName
  /// Something of the destination has demanded TLS, or kept from finding out.
  private var hasMetPolicy = false
  private var started: Duration?

  init(
    hosts: MailHosts, domain: DomainName, minimum: TLSMinimum, lookup: ExchangerLookup, settings: OutboundSettings
  ) {
    self.hosts = hosts
    self.domain = domain
    self.minimum = minimum
    self.lookup = lookup
    self.settings = settings
    host = domain
  }

  mutating func restart() {
    nextHost = 0
    addresses = []
    lastFailure = nil
    started = nil
  }

  func withoutPolicies() -> (any HostWalk)? {
    guard hasMetPolicy, security != nil else { return nil }
    var walk = self
    walk.restart()
    // RFC 8689 §4.2.2.
    walk.security = nil
    walk.results = nil
    return walk
  }

  mutating func next() async -> OpenSession? {
    let started = started ?? settings.clock.now()
    self.started = started
    while !Task.isCancelled, settings.clock.now() - started < settings.longestSearch {
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
    host = name
    do throws(ResolutionError) {
      let found = try await lookup.addresses(of: name)
      if found.addresses.isEmpty { return fail(EnhancedStatus(4, 4, 4), "\(name) has no address") }
      guard let security else {
        return use(.opportunistic(name, domain, isNameSure: false), at: found)
      }
      switch try await security.decide(found, of: hosts, domain: domain, policy: discovery?.kept?.policy) {
      case .secured(let secured):
        if secured.requiresTLS { hasMetPolicy = true }
        use(secured, at: found)
      case .refused(let failure, let policy):
        hasMetPolicy = true
        count(TLSResult(policy: policy, host: name, failure: failure))
        fail(EnhancedStatus(4, 7, 5), failure.description)
      }
    } catch {
      hasMetPolicy = true
      // RFC 8460 §4.3.4: what takes too long need not be told.
      switch error {
      case .bogus, .failed:
        count(
          TLSResult(policy: TLSResult.Policy(kind: .tlsa, domain: name), host: name, failure: TLSFailure(error)))
      case .timedOut, .busy, .cancelled, .closed: break
      }
      fail(EnhancedStatus(4, 4, 3), "\(name): \(error)")
    }
  }

  /// A route may demand more than the domain.
  private mutating func use(_ secured: HostSecurity, at found: HostAddresses) {
    guard let raised = secured.raised(to: minimum) else {
      return fail(EnhancedStatus(4, 7, 5), "\(host) has no TLSA records that count, and the route demands them")
    }
    self.secured = raised
    addresses = found.addresses
  }

  private mutating func connect(to address: IPAddress) async -> OpenSession? {
    guard let secured else { return nil }
    let target = HostAddress(
      name: host.text, address: address, port: settings.port, source: settings.source(for: address))
    let context: TLSClientContext
    do {
      context = try secured.makeContext(authorities: settings.authorities)
    } catch {
      fail(EnhancedStatus(4, 7, 5), "\(error)", at: "\(target)")
      return nil
    }
    let tls = ClientTLS(
      context: context, serverName: secured.serverName.text, isNameSure: secured.isNameSure)
    do throws(HostFailure) {
      let session = try await ClientSession.connect(
        to: target, settings: settings.session(secured.requiresTLS ? .required(tls) : .opportunistic(tls)))
      count(secured, address, session.connection.localAddress, secured.failure(of: session, context))
      return OpenSession(session: session, host: "\(target)")
    } catch {
      if let failure = secured.failure(of: error, context) { count(secured, address, error.localAddress, failure) }
      lastFailure = DeliveryNote(error, host: "\(target)")
      return nil
    }
  }

  private func count(_ secured: HostSecurity, _ address: IPAddress, _ own: IPAddress?, _ failure: TLSFailure?) {
    count(
      TLSResult(
        policy: secured.policy, host: host, hostAddress: address, ownAddress: own, failure: failure))
  }

  /// A policy that is announced and could not be had is a failure of every session that it would have been for.
  private func count(_ result: TLSResult) {
    guard let results else { return }
    var result = result
    if let problem = discovery?.problem, result.policy.kind != .tlsa {
      if result.policy.kind == .none { result.policy = TLSResult.Policy(kind: .sts, domain: domain) }
      result.failure = result.failure ?? problem
    }
    results.count(result, for: domain)
  }

  private mutating func fail(_ status: EnhancedStatus, _ text: String, at host: String? = nil) {
    lastFailure = DeliveryNote(.delayed, status, host: host, explanation: text)
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
