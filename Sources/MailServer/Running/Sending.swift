import Cryptography
import DNS
import Delivery
import HTTPSClient
import Logging
import MailStore
import MessageFormat
import Networking
import SMTPClient
import Synchronization

/// Everything that mail for other servers needs, from the resolver to the queue's runner.
struct Sending: Sendable {
  let outgoing: OutgoingMail
  let keys: DomainKeys
  private let resolver: Resolver
  /// Of name servers that hide signatures.
  private let plain: PlainResolver
  private let runner: QueueRunner
  /// Nil: nobody is told how TLS went.
  private let reporter: TLSReporter?
  private let task: Task<Void, Never>

  static func start(
    _ plan: ServerPlan, store: MailStore, router: Router, rewriting: SenderRewriting?, hostname: Domain, clock: WallClock,
    output: LogOutput
  ) async throws(StartupError) -> Sending {
    let configuration = plan.configuration.outbound
    var settings = ResolverSettings(upstream: configuration.resolver)
    settings.trustAnchorFile = configuration.trustAnchors
    let validating: Resolver
    do throws(ResolverSetupError) {
      validating = try Resolver(settings)
    } catch {
      throw StartupError("outbound.resolver: \(error)")
    }
    let plain = PlainResolver(upstream: configuration.resolver)
    let resolver = resolver(configuration, validating, plain, output.logger("dns"))
    var schedule = RetrySchedule()
    schedule.firstPause = configuration.firstRetry
    schedule.givesUpAfter = configuration.givesUpAfter
    schedule.warnsAfter = configuration.warnsAfter
    let keys = DomainKeys(store: store, resolver: resolver, clock: clock, logger: output.logger("dkim"))
    await keys.prepare()
    let routes = try configuration.makeRoutes()
    let mail = OwnMail(store: store, router: router, keys: keys, routes: routes, clock: clock)
    let authorities = try authorities(configuration)
    let client = httpsClient(authorities)
    let counter = configuration.sendsTLSReports ? TLSResultCounter(clock: clock) : nil
    let reporter = counter.map { counter in
      TLSReporter(
        store: store, counter: counter, resolver: resolver, mail: mail,
        upload: HTTPSReportUpload(client: client, resolver: resolver),
        submitter: { submitter(plan.configuration, store, hostname) }, clock: clock,
        logger: output.logger("tls-reports"))
    }
    let outgoing = OutgoingMail(
      routes: routes, schedule: schedule, rewriting: rewriting, keys: keys, clock: clock)
    let runner = QueueRunner(
      store: store, router: router, routes: routes,
      transport: try transport(plan, routes, resolver, store, counter, authorities, client, clock, output),
      reporter: DeliveryReporter(
        store: store, mail: mail, hostname: hostname, schedule: schedule, clock: clock,
        logger: output.logger("delivery")),
      schedule: schedule, signature: { outgoing.newSignature(of: $0) }, clock: clock,
      logger: output.logger("delivery"))
    return Sending(
      outgoing: outgoing, keys: keys, resolver: validating, plain: plain, runner: runner, reporter: reporter,
      task: Task {
        async let watching: Void = watch(keys)
        async let reporting: Void? = reporter?.run()
        await runner.run()
        await watching
        await reporting
      })
  }

  private static let keyInterval = Duration.seconds(600)

  /// Until the task is cancelled.
  private static func watch(_ keys: DomainKeys) async {
    repeat { await keys.advance() } while (try? await Task.sleep(for: keyInterval)) != nil
  }

  /// Whatever is under way is given up, and is due again at the next start.
  func stop() async {
    task.cancel()
    runner.wake()
    await task.value
    await reporter?.flush(looksUp: false)
    await resolver.close()
    await plain.close()
  }

  /// The system's name servers are not ours to choose, so mail gets out whatever they are like. Whoever names others is
  /// taken at their word.
  private static func resolver(
    _ configuration: OutboundConfiguration, _ validating: Resolver, _ plain: PlainResolver, _ logger: Logger
  ) -> any Resolving {
    guard configuration.resolver == .system, configuration.trustAnchors != nil else { return validating }
    return ProbingResolver(validating: validating, plain: { plain.make() }) {
      logger.warning(
        "signatures_hidden",
        metadata: [
          "text": "the system's name servers hide the signatures of DNSSEC: there is no DANE",
          "hint": "outbound.resolver: recursive, or martlet dns check",
        ])
    }
  }

  private static func transport(
    _ plan: ServerPlan, _ routes: OutboundRoutes, _ resolver: any Resolving, _ store: MailStore,
    _ counter: TLSResultCounter?, _ authorities: [UInt8]?, _ client: HTTPSClient, _ clock: WallClock, _ output: LogOutput
  ) throws(StartupError) -> any MailTransport {
    let configuration = plan.configuration.outbound
    var settings = OutboundSettings(name: configuration.name ?? plan.hostname)
    settings.port = UInt16(clamping: configuration.port)
    settings.sources = configuration.sources.compactMap { IPAddress($0) }
    settings.trace = trace(output)
    if let authorities { settings.authorities = .authorities(authorities) }
    let policies = PolicyDiscovery(
      resolver: resolver,
      source: HTTPSPolicySource(
        client: client, resolver: resolver, port: UInt16(clamping: configuration.policyPort)),
      keeper: StoredPolicies(store: store), clock: clock)
    let exchangers = ExchangerTransport(
      resolver: resolver, ownNames: Set([DomainName(plan.hostname)].compactMap { $0 }), policies: policies,
      results: counter, settings: settings)
    return RoutedTransport(routes, exchangers: exchangers, resolver: resolver, settings: settings)
  }

  /// Those that count in place of the system's, as PEM.
  private static func authorities(_ configuration: OutboundConfiguration) throws(StartupError) -> [UInt8]? {
    guard let path = configuration.authorities else { return nil }
    do throws(FileProblem) {
      return try readFileBytes(path, limit: 8 << 20)
    } catch {
      throw StartupError("outbound.authorities: \(error)")
    }
  }

  private static func httpsClient(_ authorities: [UInt8]?) -> HTTPSClient {
    var settings = HTTPSSettings()
    settings.authorities = authorities
    return HTTPSClient(settings)
  }

  /// Whose name reports carry.
  private static func submitter(
    _ configuration: Configuration, _ store: MailStore, _ hostname: Domain
  ) -> TLSReport.Submitter {
    let domain = configuration.domain ?? store.directory.domains.first ?? hostname
    let contact =
      configuration.outbound.reportContact ?? EmailAddress(localPart: "postmaster", domain: domain)
    return TLSReport.Submitter(
      contact: contact, organization: configuration.outbound.reportOrganization ?? contact.domain.text,
      hostname: hostname)
  }

  private static func trace(_ output: LogOutput) -> @Sendable (String, TraceDirection, [UInt8]) -> Void {
    let traces = Mutex<[String: ProtocolTrace]>([:])
    let logger = output.logger("trace")
    return { connection, direction, bytes in
      guard output.level == .trace else { return }
      let lines = traces.withLock { traces in
        if traces.count > 1_000 { traces.removeAll() }
        return traces[connection, default: ProtocolTrace(.smtp, as: .client)].lines(direction, bytes)
      }
      for line in lines {
        logger.trace(
          "trace",
          metadata: [
            "conn": "\(connection)", "protocol": "smtp-out",
            "from": direction == .received ? "server" : "client", "line": "\(line)",
          ])
      }
    }
  }
}

/// Addresses of ours for the senders of what is forwarded. The secret is made at the first start: by it we know what we
/// have rewritten.
func senderRewriting(_ plan: ServerPlan, _ store: MailStore) throws(StartupError) -> SenderRewriting? {
  guard let domain = plan.configuration.domain ?? store.directory.domains.first else { return nil }
  let path = "\(plan.configuration.dataDirectory)/srs.key"
  do throws(FileProblem) {
    if let known = try? readFileBytes(path, limit: 1_024), known.count >= 32 {
      return SenderRewriting(domain: domain, secrets: [known])
    }
    let secret = randomBytes(32)
    try writeFileBytes(secret, to: path, mode: 0o600)
    return SenderRewriting(domain: domain, secrets: [secret])
  } catch {
    throw StartupError("\(error)")
  }
}

/// A resolver that trusts no keys, made when it is needed.
private final class PlainResolver: Sendable {
  private let upstream: ResolverSettings.Upstream
  private let made = Mutex<Resolver?>(nil)

  init(upstream: ResolverSettings.Upstream) { self.upstream = upstream }

  func make() -> Resolver? {
    var settings = ResolverSettings(upstream: upstream)
    settings.trustAnchorFile = nil
    let resolver = try? Resolver(settings)
    made.withLock { $0 = resolver }
    return resolver
  }

  func close() async { await made.withLock { $0 }?.close() }
}

/// MTA-STS policies, kept in the store.
private struct StoredPolicies: PolicyKeeping {
  let store: MailStore

  func policy(of domain: DomainName) async -> KeptPolicy? {
    guard let kept = (try? await store.transportPolicy(of: domain.text)) ?? nil else { return nil }
    return try? KeptPolicy(id: kept.id, text: kept.text, fetched: kept.fetched)
  }

  func keep(_ policy: KeptPolicy, of domain: DomainName) async {
    try? await store.setTransportPolicy(
      TransportPolicy(id: policy.id, text: policy.text, fetched: policy.fetched), of: domain.text)
  }
}
