import Authentication
import Cryptography
import Delivery
import Logging
package import MailStore
package import MessageFormat
import Networking
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The server as it runs. Start goes from the store outwards to the listeners, stop the other way, so no session ever
/// meets a store that is not open.
package final class RunningServer: Sendable {
  /// A listener that is bound, with the port it really has.
  package struct Bound: Sendable {
    package let setting: ListenerSetting
    fileprivate let listener: Listener
  }

  package let listeners: [Bound]
  package let store: MailStore
  private let plan: ServerPlan
  private let control: Listener?
  private let tls: TLSServerContext
  private let clock: WallClock
  private let output: LogOutput
  private let logger: Logger
  private let configuration: Mutex<Configuration>
  private let housekeeping: Task<Void, Never>
  private let sending: Sending?

  private init(
    plan: ServerPlan, store: MailStore, listeners: [Bound], control: Listener?, tls: TLSServerContext,
    sending: Sending?, clock: WallClock, output: LogOutput
  ) {
    self.sending = sending
    self.plan = plan
    self.store = store
    self.listeners = listeners
    self.control = control
    self.tls = tls
    self.clock = clock
    self.output = output
    logger = output.logger("server")
    configuration = Mutex(plan.configuration)
    housekeeping = Task { [logger] in await Self.keepHouse(store, logger: logger) }
  }

  // MARK: Start

  /// - Parameter prepare: runs when the store is open and nothing listens yet.
  package static func start(
    _ plan: ServerPlan, output: LogOutput, clock: WallClock = .system, serviceManager: ServiceManager? = nil,
    prepare: (MailStore) async throws(StartupError) -> Void = { _ in }
  ) async throws(StartupError) -> RunningServer {
    let logger = output.logger("server")
    let files = raiseOpenFileLimit()
    logger.debug("open_file_limit", metadata: ["files": "\(files)"])
    let metrics = MetricsRegistry()
    let store = try await openStore(plan, clock: clock, output: output, metrics: metrics)
    var bound: [Bound] = []
    var control: Listener?
    var sending: Sending?
    do throws(StartupError) {
      try await makeDomain(plan, in: store, logger: logger)
      try await prepare(store)
      let tls = try makeTLS(plan, clock: clock, logger: logger)
      guard let hostname = Domain(plan.hostname) else {
        throw StartupError("\(quoted(plan.hostname)) is not a host name")
      }
      let rewriting = plan.sendsElsewhere ? try senderRewriting(plan, store) : nil
      let router = Router(
        store: store, hostname: hostname, unknown: plan.unknownRecipients, rewriting: rewriting, clock: clock)
      if plan.sendsElsewhere {
        sending = try await Sending.start(
          plan, store: store, router: router, rewriting: rewriting, hostname: hostname, clock: clock, output: output)
      }
      let sessions = try makeSessions(
        plan, store: store, router: router, outgoing: sending?.outgoing, tls: tls, hostname: hostname, clock: clock,
        output: output, metrics: metrics)
      for setting in plan.configuration.listeners {
        bound += try await listen(
          setting, plan: plan, tls: tls, sessions: sessions,
          descriptor: serviceManager?.sockets[setting.service.rawValue],
          logger: output.logger(setting.service.rawValue))
      }
      let administration = Administration(
        store: store, clock: clock, logger: logger, metrics: metrics, keys: sending?.keys,
        messageSize: plan.configuration.limits.messageSize, sendingLimits: plan.configuration.sendingLimits)
      control = try await listenForCommands(plan, administration, bound, logger: output.logger("control"))
      let server = RunningServer(
        plan: plan, store: store, listeners: bound, control: control, tls: tls, sending: sending,
        clock: clock, output: output)
      server.logStart()
      serviceManager?.notify("READY=1")
      return server
    } catch {
      await stop(bound.map(\.listener), within: .zero)
      await sending?.stop()
      await store.close()
      throw error
    }
  }

  private static func openStore(
    _ plan: ServerPlan, clock: WallClock, output: LogOutput, metrics: MetricsRegistry
  ) async throws(StartupError) -> MailStore {
    let directory = plan.configuration.dataDirectory
    do throws(FileProblem) {
      try makePrivateDirectory(directory)
    } catch {
      throw StartupError("\(error); name another directory by data:, MARTLET_DATA or --data")
    }
    do throws(StoreError) {
      return try await MailStore.open(
        at: directory,
        options: StoreOptions(
          clock: clock, logger: output.logger("store"), metrics: metrics,
          stagingBudget: plan.configuration.limits.bodiesInMemory,
          keepDeleted: plan.configuration.keepDeleted))
    } catch .locked {
      throw StartupError("another martlet holds \(directory)")
    } catch {
      throw StartupError("\(directory): \(error.inWords)")
    }
  }

  private static func makeDomain(_ plan: ServerPlan, in store: MailStore, logger: Logger) async throws(StartupError) {
    guard let domain = plan.configuration.domain, !store.directory.isLocal(domain) else { return }
    do throws(StoreError) {
      try await store.addDomain(domain)
    } catch {
      throw StartupError("domain \(domain): \(error.inWords)")
    }
    logger.notice("domain_added", metadata: ["domain": "\(domain)"])
  }

  private static func makeTLS(_ plan: ServerPlan, clock: WallClock, logger: Logger) throws(StartupError)
    -> TLSServerContext
  {
    let certificates: [TLSServerContext.Certificate]
    if let made = plan.certificates {
      certificates = made
    } else {
      certificates = try loadCertificates(plan.configuration, hostname: plan.hostname, clock: clock, logger: logger)
    }
    do {
      return try TLSServerContext(
        certificates: certificates, clientCertificates: try loadClientAuthorities(plan.configuration))
    } catch {
      throw StartupError("the certificates cannot be used: \(error)")
    }
  }

  private static func makeSessions(
    _ plan: ServerPlan, store: MailStore, router: Router, outgoing: OutgoingMail?, tls: TLSServerContext,
    hostname: Domain, clock: WallClock, output: LogOutput, metrics: MetricsRegistry
  ) throws(StartupError) -> Sessions {
    let authenticator: Authenticator
    do {
      authenticator = try Authenticator(
        store: store, policy: plan.credentials, hostname: plan.hostname, clock: clock,
        logger: output.logger("authentication"))
    } catch {
      throw StartupError("authentication cannot start: \(error)")
    }
    return Sessions(
      plan: plan, store: store, authenticator: authenticator, router: router, outgoing: outgoing, tls: tls, clock: clock,
      output: output, metrics: metrics)
  }

  private static func listen(
    _ setting: ListenerSetting, plan: ServerPlan, tls: TLSServerContext, sessions: Sessions, descriptor: Int32?,
    logger: Logger
  ) async throws(StartupError) -> [Bound] {
    let endpoint: ListenerConfiguration.Endpoint =
      if let descriptor {
        .descriptor(descriptor)
      } else {
        switch setting.place {
        case .internet(let host, let port): .internet(host: host, port: port)
        case .local(let path): .local(path: path)
        }
      }
    // What a stopped server left behind; the store's lock says that none is running.
    if case .local(let path) = setting.place, descriptor == nil { unlink(path) }

    var configuration = ListenerConfiguration(
      endpoint: endpoint, security: setting.service.isImplicitTLS ? .implicitTLS(tls) : .plaintext)
    configuration.proxies = setting.proxies.map(\.network)
    configuration.maximumConnections = plan.configuration.limits.connections
    configuration.maximumConnectionsPerAddress = plan.configuration.limits.connectionsPerAddress
    configuration.applicationProtocols = setting.service.applicationProtocols
    configuration.refusal = setting.service.refusal(hostname: plan.hostname)
    let service = setting.service
    let run: @Sendable (Connection) async -> Void = { connection in await sessions.run(service, on: connection) }

    let listener: Listener
    do {
      listener = try await Listener.start(configuration, logger: logger, session: run)
    } catch {
      throw StartupError("\(setting.service.rawValue): \(error)")
    }
    var actual = setting
    var bound: [Bound] = []
    if case .internet(let host, _) = setting.place { actual.place = .internet(host: host, port: listener.port) }
    bound.append(Bound(setting: actual, listener: listener))

    if plan.mirrorsLoopback, setting.place.isIPv4Loopback {
      configuration.endpoint = .internet(host: "::1", port: listener.port)
      // A machine without IPv6 is reached by IPv4 alone.
      if let mirror = try? await Listener.start(configuration, logger: logger, session: run) {
        actual.place = .internet(host: "::1", port: listener.port)
        bound.append(Bound(setting: actual, listener: mirror))
      }
    }
    return bound
  }

  /// Every other command comes in here while the server runs. A data directory whose path is too long for a socket costs
  /// the commands, not the mail.
  private static func listenForCommands(
    _ plan: ServerPlan, _ administration: Administration, _ bound: [Bound], logger: Logger
  ) async throws(StartupError) -> Listener? {
    let path = controlSocketPath(in: plan.configuration.dataDirectory)
    let hostname = plan.hostname
    let status: @Sendable () -> ServerStatus? = {
      ServerStatus(
        version: martletVersion, hostname: hostname, isReady: true,
        connections: bound.reduce(0) { $0 + $1.listener.connectionCount }, listeners: bound.map { $0.setting.text })
    }
    do {
      return try await MailServer.listenForCommands(at: path, administration, status: status, logger: logger)
    } catch {
      logger.error("control_socket_failed", metadata: ["path": "\(path)", "error": "\(error)"])
      return nil
    }
  }

  private func logStart() {
    logger.notice(
      "ready",
      metadata: [
        "text": "martlet is ready", "version": "\(martletVersion)", "hostname": "\(plan.hostname)",
        "data": "\(plan.configuration.dataDirectory)",
        "listeners": "\(listeners.map(\.setting.text).joined(separator: " "))",
      ])
    if plan.unknownRecipients == .refuse && store.directory.accounts.isEmpty {
      let domain = plan.configuration.domain?.text ?? store.directory.domains.first?.text ?? "DOMAIN"
      logger.warning("no_accounts", metadata: ["hint": "martlet account add postmaster@\(domain)"])
    }
  }

  private static let housekeepingInterval = Duration.seconds(3_600)

  /// Reading and writing together, in octets a second: a compaction is never urgent.
  private static let compactionRate: Int64 = 16 << 20

  /// What is due from time to time, beside everything else, until the task is cancelled.
  private static func keepHouse(_ store: MailStore, logger: Logger) async {
    repeat {
      await purge(store, logger)
      await compact(store, logger)
    } while (try? await Task.sleep(for: housekeepingInterval)) != nil
  }

  private static func purge(_ store: MailStore, _ logger: Logger) async {
    do throws(StoreError) {
      let purged = try await store.purgeDeleted()
      guard !purged.isEmpty else { return }
      logger.notice(
        "deleted_purged",
        metadata: [
          "entries": "\(purged.entries)", "messages": "\(purged.messages)", "octets": "\(purged.octets)",
        ])
    } catch {
      logger.error("purge_failed", metadata: ["error": "\(error)"])
    }
  }

  private static func compact(_ store: MailStore, _ logger: Logger) async {
    do throws(StoreError) {
      let report = try await store.compact(CompactionOptions(octetsPerSecond: compactionRate))
      if report.packs > 0 { logger.notice("store_compacted", metadata: report.logMetadata) }
      for pack in report.unfit {
        logger.warning("pack_not_compacted", metadata: ["pack": "\(pack.pack)", "reason": "\(pack.reason)"])
      }
    } catch .closed {
      // The server is being stopped; the next one goes on.
    } catch {
      logger.error("compaction_failed", metadata: ["error": "\(error)"])
    }
  }

  // MARK: Change

  /// Takes over what can change while it runs, and says in the log what needs a restart.
  package func reload(_ loaded: LoadedConfiguration) {
    guard loaded.problems.isEmpty else {
      for problem in loaded.problems { logger.error("configuration_problem", metadata: ["problem": "\(problem)"]) }
      logger.error("reload_refused", metadata: ["problems": "\(loaded.problems.count)"])
      return
    }
    let old = configuration.withLock { current in
      defer { current = loaded.configuration }
      return current
    }
    output.level = loaded.configuration.log.effectiveLevel
    if plan.certificates == nil {
      do {
        try tls.reload(
          certificates: loadCertificates(loaded.configuration, hostname: plan.hostname, clock: clock, logger: logger))
      } catch {
        logger.error("certificates_not_reloaded", metadata: ["error": "\(error)"])
      }
    }
    for path in settingsThatNeedRestart(old, loaded.configuration) {
      logger.warning("restart_needed", metadata: ["setting": "\(path)"])
    }
    logger.notice("reloaded", metadata: ["level": "\(output.level.rawValue)"])
  }

  // MARK: Stop

  /// Stops accepting, tells the sessions, waits for what they have in hand, commits and closes.
  package func stop() async {
    logger.notice("stopping", metadata: ["connections": "\(listeners.reduce(0) { $0 + $1.listener.connectionCount })"])
    let limit = configuration.withLock { $0.limits.stopWithin }
    await Self.stop(listeners.map(\.listener) + (control.map { [$0] } ?? []), within: limit)
    await sending?.stop()
    housekeeping.cancel()
    await housekeeping.value
    await store.close()
    unlink(controlSocketPath(in: plan.configuration.dataDirectory))
    logger.notice("stopped")
  }

  private static func stop(_ listeners: [Listener], within limit: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      for listener in listeners {
        group.addTask {
          await listener.stopAccepting()
          await listener.drain(within: limit)
        }
      }
    }
  }
}

extension ListenerSetting.Place {
  fileprivate var isIPv4Loopback: Bool {
    if case .internet("127.0.0.1", _) = self { true } else { false }
  }
}
