package import Logging
package import MailStore
package import MessageFormat
import SMTP
package import SMTPClient

/// Sees to it that everything in the queue has its turn: destinations that are due, reports, warnings, and what is given
/// up. Keeps nothing in memory but what it works on.
package actor QueueRunner {
  /// Failures of one message are reported together; where some of its recipients take longer, after this.
  static let reportDelay = Duration.seconds(60)

  private let store: MailStore
  private let router: Router
  private let routes: OutboundRoutes
  private let transport: any MailTransport
  private let reporter: DeliveryReporter
  private let schedule: RetrySchedule
  private let limits: QueueLimits
  private let signature: HeaderSignature?
  private let clock: WallClock
  private let steadyClock: SteadyClock
  /// What the one showed when the other began.
  private var epoch: Timestamp
  private let logger: Logger

  private var places: QueuePlaces
  private var active: [String: DestinationQueue] = [:]
  private let resting: RestingSessions
  private var isReporting = false
  /// Something may be due to be reported that the reporting under way has not seen.
  private var reportsAgain = false
  private var alarm: Task<Void, Never>?
  private let events: AsyncStream<Void>
  private nonisolated let signal: AsyncStream<Void>.Continuation

  /// Nobody counts on the machine's clock to go on evenly.
  private static let longestSleep = Duration.seconds(60)
  /// Each look at the queue takes in what has come since the last; a look for each message would be most of the work.
  private static let shortestPause = Duration.milliseconds(5)
  /// A clock that is kept right moves by less.
  private static let largestCorrection = Duration.seconds(300)
  private static let reportRetry = Duration.seconds(3_600)
  private static let sweepLimit = 100

  /// - Parameters:
  ///   - signature: signs anew what has to be rewritten for a server; nil: it then goes out unsigned.
  ///   - steadyClock: by which it is seen who gets nowhere.
  package init(
    store: MailStore, router: Router, routes: OutboundRoutes = OutboundRoutes(), transport: any MailTransport,
    reporter: DeliveryReporter, schedule: RetrySchedule = RetrySchedule(), limits: QueueLimits = QueueLimits(),
    signature: HeaderSignature? = nil, clock: WallClock, steadyClock: SteadyClock = .system, logger: Logger
  ) {
    self.store = store
    self.router = router
    self.routes = routes
    self.transport = transport
    self.reporter = reporter
    self.schedule = schedule
    self.limits = limits
    self.signature = signature
    places = QueuePlaces(limits, steadyClock)
    resting = RestingSessions(limits)
    self.clock = clock
    self.steadyClock = steadyClock
    epoch = clock.now().advanced(by: .zero - steadyClock.now())
    self.logger = logger
    (events, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Something may be due.
  package nonisolated func wake() { signal.yield() }

  /// Until the task is cancelled; returns when what is under way has ended.
  package func run() async {
    await route()
    store.watchQueue { [signal] in signal.yield() }
    wake()
    await withDiscardingTaskGroup { group in
      for await _ in events {
        if Task.isCancelled { break }
        // One time for all of a look: between two, somebody may put the clock forward.
        let now = clock.now()
        await look(atClock: now)
        setAlarm(at: await lookAtQueue(at: now, in: &group))
        try? await Task.sleep(for: Self.shortestPause)
      }
      alarm?.cancel()
      group.cancelAll()
    }
    await resting.end()
  }

  /// What was queued goes by the routes of today. Before anything is started: nothing may be under way by two of them.
  private func route() async {
    while !Task.isCancelled {
      do throws(StoreError) {
        try await store.hastenQueue(beyond: clock.now().advanced(by: schedule.longestPause * 2))
        let count = try await store.rerouteQueue(by: routes.mark) { [routes] recipient, sender, last in
          if last == HeldMail.destination { return last }
          let assurance = QueueDestination(text: last).assurance
          return routes.destination(of: recipient, from: sender, assurance: assurance).text
        }
        if count > 0 { logger.notice("queue_rerouted", metadata: ["recipients": "\(count)"]) }
        return
      } catch {
        guard error != .closed else { return }
        logger.error("queue_not_rerouted", metadata: ["error": "\(error)"])
        try? await Task.sleep(for: Self.longestSleep)
      }
    }
  }

  /// Where the machine's clock is put forward or back, nothing comes back too early for it, is tried all at once, or waits
  /// for ever.
  private func look(atClock now: Timestamp) async {
    let found = now.advanced(by: .zero - steadyClock.now())
    let offset = Duration.microseconds(found.microseconds - epoch.microseconds)
    guard offset > Self.largestCorrection || offset < .zero - Self.largestCorrection else { return }
    do throws(StoreError) {
      try await store.moveQueue(by: offset)
      epoch = found
      logger.warning("clock_moved", metadata: ["seconds": "\(offset.components.seconds)"])
    } catch {
      if error != .closed { logger.error("queue_not_moved", metadata: ["error": "\(error)"]) }
    }
  }

  /// - Returns: when something is due next; nil where nothing waits, or that is not known.
  private func lookAtQueue(at now: Timestamp, in group: inout DiscardingTaskGroup) async -> Timestamp? {
    await makeRoom()
    do throws(StoreError) {
      let look = try await store.look(atQueue: now, without: places.names, places.room(at: now))
      // Before anything is started: what is being tried is not given up.
      if look.hasExpired { await expire(at: now) }
      if look.hasReports { startReports(in: &group) }
      for destination in look.destinations { start(destination, in: &group) }
      return look.next
    } catch {
      if error != .closed { logger.error("queue_unreadable", metadata: ["error": "\(error)"]) }
      return nil
    }
  }

  /// There is one at a time: if each event left its own behind, each of those would be an event again.
  private func setAlarm(at next: Timestamp?) {
    var pause = places.nextRoom ?? Self.longestSleep
    if let next { pause = min(pause, .microseconds(next.microseconds - clock.now().microseconds)) }
    pause = min(max(pause, .milliseconds(1)), Self.longestSleep)
    alarm?.cancel()
    alarm = Task { [signal, pause] in
      if (try? await Task.sleep(for: pause)) != nil { signal.yield() }
    }
  }

  // MARK: Destinations

  /// However many servers say nothing.
  private func makeRoom() async {
    var (count, slowest) = places.excess
    for name in slowest where count > 0 {
      if await active[name]?.giveWay() == true { count -= 1 }
    }
  }

  private func start(_ destination: QueuedDestination, in group: inout DiscardingTaskGroup) {
    guard !Task.isCancelled else { return }
    let pace = places.take(destination.name, isReachable: destination.failures == 0)
    if destination.name == HeldMail.destination {
      let held = HeldMail(store: store, router: router, schedule: schedule, clock: clock, logger: logger)
      group.addTask {
        await held.release()
        await self.ended(destination.name)
      }
      return
    }
    let queue = DestinationQueue(
      destination, store: store, transport: transport, resting: resting, pace: pace, schedule: schedule,
      limits: limits, signature: signature, clock: clock, logger: logger)
    active[destination.name] = queue
    group.addTask {
      await queue.run()
      await self.ended(destination.name)
    }
  }

  private func ended(_ destination: String) {
    active[destination] = nil
    places.leave(destination)
    wake()
  }

  // MARK: Reports

  /// Beside the deliveries: a thousand reports must not keep a message.
  private func startReports(in group: inout DiscardingTaskGroup) {
    guard !isReporting else { return reportsAgain = true }
    isReporting = true
    reportsAgain = false
    group.addTask { await self.report() }
  }

  private func report() async {
    do throws(StoreError) {
      let now = clock.now()
      let reports = try await store.dueReports(at: clock.now(), limit: Self.sweepLimit)
      for delivery in reports { try await report(delivery) }
      let late = try await store.lateMessages(at: now, limit: Self.sweepLimit)
      for delivery in late { try await warn(delivery) }
      // There may be more.
      if reports.count == Self.sweepLimit || late.count == Self.sweepLimit { reportsAgain = true }
    } catch {
      if error != .closed { logger.error("queue_reports_failed", metadata: ["error": "\(error)"]) }
    }
    isReporting = false
    if reportsAgain { wake() }
  }

  /// One that can't be made, because its message can't be read, must not keep the others.
  private func report(_ delivery: QueuedDelivery) async throws(StoreError) {
    do throws(StoreError) {
      try await reporter.report(delivery)
    } catch {
      noteFailedReport(of: delivery, error)
      var progress = QueueProgress()
      let later = clock.now().advanced(by: Self.reportRetry)
      progress.outcomes = delivery.recipients.map {
        (
          delivery.id(of: $0),
          .report(at: later, result: $0.result)
        )
      }
      try await store.note(progress)
    }
  }

  private func warn(_ delivery: QueuedDelivery) async throws(StoreError) {
    do throws(StoreError) {
      try await reporter.warn(delivery)
    } catch {
      noteFailedReport(of: delivery, error)
      var progress = QueueProgress()
      progress.warned = [delivery.message.id]
      try await store.note(progress)
    }
  }

  private func noteFailedReport(of delivery: QueuedDelivery, _ error: StoreError) {
    guard error != .closed else { return }
    logger.error(
      "queue_report_failed", metadata: ["queue_id": "\(delivery.message.id.rawValue)", "error": "\(error)"])
  }

  /// Gives up what waits too long, unless it is just being tried. Nothing is started meanwhile.
  private func expire(at now: Timestamp) async {
    do throws(StoreError) {
      let expired = try await store.expiredMessages(at: now, limit: Self.sweepLimit)
      var progress = QueueProgress()
      for delivery in expired { try await expire(delivery, &progress) }
      guard !progress.isEmpty else { return }
      try await store.note(progress)
      if expired.count == Self.sweepLimit { wake() }
    } catch {
      if error != .closed { logger.error("queue_expiry_failed", metadata: ["error": "\(error)"]) }
    }
  }

  private func expire(_ delivery: QueuedDelivery, _ progress: inout QueueProgress) async throws(StoreError) {
    for recipient in delivery.recipients where !places.contains(recipient.destination) {
      var note = DeliveryNote(decoding: recipient.result)
      if note == nil, let destination = try await store.queuedDestination(recipient.destination) {
        note = DeliveryNote(decoding: destination.result)
      }
      var final = note ?? DeliveryNote(.failed, EnhancedStatus(4, 4, 7))
      final.action = .failed
      final.status = EnhancedStatus(5, 4, 7)
      let text = "it could not be delivered in time"
      final.explanation = final.explanation.map { "\(text); the last time: \($0)" } ?? text
      logger.notice(
        "delivery",
        metadata: delivery.metadata(recipient, status: "expired", reply: final.explanation ?? ""))
      let isReported = delivery.message.sender != nil && recipient.wants(.failed)
      progress.outcomes.append(
        (
          delivery.id(of: recipient),
          isReported ? .report(at: clock.now(), result: final.encoded) : .done
        ))
    }
  }
}
