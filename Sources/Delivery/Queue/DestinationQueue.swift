import Logging
import MailStore
import MessageFormat
import SMTP
import SMTPClient

/// Works off what is due for one destination, over as many sessions as it takes, and says at the end whether it could be
/// reached. Holds a bounded number of messages, without their bodies.
actor DestinationQueue {
  private let destination: QueuedDestination
  private let store: MailStore
  private let transport: any MailTransport
  private let resting: RestingSessions
  private let pace: Pace
  private let schedule: RetrySchedule
  private let limits: QueueLimits
  private let signature: HeaderSignature?
  private let clock: WallClock
  private let logger: Logger

  private var waiting: [QueuedDelivery] = []
  /// In `waiting`, under way, or not yet noted in the store.
  private var taken: Set<QueueID> = []
  private var lastAccount: AccountID?
  private var refilling: Task<Void, Never>?
  private var isExhausted = false
  private var sessions = 0
  private var hasReached = false
  private var unreachable: DeliveryNote?
  /// The store knows that nothing is under way, and when something is due again.
  private var isSettled = false
  /// There was nothing to send any more.
  private var isUntried = false
  private var work: Task<Void, Never>?
  /// Messages that are with a server as a whole, or nearly so, without its answer.
  private var handedOver: Set<QueueID> = []

  init(
    _ destination: QueuedDestination, store: MailStore, transport: any MailTransport, resting: RestingSessions,
    pace: Pace, schedule: RetrySchedule, limits: QueueLimits, signature: HeaderSignature?, clock: WallClock,
    logger: Logger
  ) {
    self.destination = destination
    self.store = store
    self.transport = transport
    self.resting = resting
    self.pace = pace
    self.schedule = schedule
    self.limits = limits
    self.signature = signature
    self.clock = clock
    self.logger = logger
  }

  /// Returns when nothing is due any more, or the destination can't be reached.
  func run() async {
    let work = Task { await workOff() }
    self.work = work
    // Asked to give way before it had begun.
    if unreachable != nil { work.cancel() }
    await withTaskCancellationHandler { await work.value } onCancel: { work.cancel() }
    // Cut short by the end of the server, it says nothing of the destination.
    if Task.isCancelled, !hasReached { return }
    if !isSettled { await settle() }
  }

  /// Others wait for its place, and no server has answered so far: it is put off. Not so where one may have a message
  /// already and is late to say so.
  /// - Returns: whether its place will be free in a moment.
  func giveWay() -> Bool {
    if unreachable != nil { return true }
    guard !pace.state.hasMoved, handedOver.isEmpty else { return false }
    unreachable = DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "no host has answered so far")
    work?.cancel()
    return true
  }

  private func workOff() async {
    await refill()
    if waiting.isEmpty {
      // An administrator was faster, or its time was over.
      isUntried = true
    } else if let rested = await resting.take(for: destination.name) {
      await deliver(over: rested.walk, from: rested)
    } else {
      switch await transport.way(to: destination.name) {
      case .hosts(let walk): await deliver(over: walk)
      case .unknown(let note): if !Task.isCancelled { await putOff(note) }
      case .none(let note): await giveBack(note)
      }
    }
  }

  private func settle() async {
    let now = clock.now()
    let outcome: DestinationOutcome =
      if let unreachable {
        .unreachable(until: now.advanced(by: pause(after: destination.failures + 1)), result: unreachable.encoded)
      } else if isUntried {
        .untried
      } else {
        .reached
      }
    await persist("queue_not_settled", ["destination": "\(destination.name)"]) { () throws(StoreError) in
      try await self.store.settle(destination: self.destination.name, outcome)
    }
  }

  /// Until the store takes it: with what is not noted, a message would be sent again. A full disk becomes less full.
  private func persist(
    _ problem: String, _ metadata: Logger.Metadata, _ write: () async throws(StoreError) -> Void
  ) async {
    var pause = Self.firstPause
    while true {
      do throws(StoreError) {
        return try await write()
      } catch {
        var metadata = metadata
        metadata["error"] = "\(error)"
        logger.error("\(problem)", metadata: metadata)
        guard error != .closed, (try? await Task.sleep(for: pause)) != nil else { return }
        pause = min(pause * 2, Self.longestPause)
      }
    }
  }

  private static let firstPause = Duration.milliseconds(500)
  private static let longestPause = Duration.seconds(30)

  private func pause(after failures: Int) -> Duration {
    schedule.pause(after: failures, random: Double.random(in: 0...1))
  }

  // MARK: What is due

  /// The next message; nil where nothing is due any more.
  private func next() async -> QueuedDelivery? {
    while waiting.isEmpty {
      if isExhausted || unreachable != nil || Task.isCancelled { return nil }
      await refill()
    }
    // Somebody else may have taken it meanwhile, or found the destination gone.
    return waiting.isEmpty ? nil : waiting.removeFirst()
  }

  private func refill() async {
    if let refilling { return await refilling.value }
    let task = Task {
      await load()
      // Here and not after the wait for it: whoever goes on first and finds nothing left would wait for this one again,
      // without end and without letting anybody else go on.
      refilling = nil
    }
    refilling = task
    await task.value
  }

  private func load() async {
    do throws(StoreError) {
      let found = try await store.dueDeliveries(
        for: destination.name, at: clock.now(), after: lastAccount, without: taken,
        limit: limits.messagesOfDestination)
      isExhausted = found.isEmpty
      for delivery in found { taken.insert(delivery.message.id) }
      if let last = found.last { lastAccount = last.message.account }
      waiting += found
    } catch {
      isExhausted = true
      logger.error("queue_unreadable", metadata: ["destination": "\(destination.name)", "error": "\(error)"])
    }
  }

  // MARK: Sessions

  private func deliver(over walk: any HostWalk, from rested: RestedSession? = nil) async {
    await withDiscardingTaskGroup { group in
      startSession(walk, rested, in: &group)
      // More sessions once a server has answered about a message, as long as others wait.
      while await needsExtraSession() { startSession(walk, nil, in: &group) }
    }
  }

  /// Wakes whoever decides on more sessions.
  private var decision: CheckedContinuation<Void, Never>?

  private func wakeDecision() {
    decision?.resume()
    decision = nil
  }

  /// False: there is nothing left to decide, all sessions have ended.
  private func needsExtraSession() async -> Bool {
    while true {
      if sessions == 0 { return false }
      if pace.state.hasMoved, unreachable == nil, sessions < limits.sessionsWithDestination, waiting.count > sessions {
        return true
      }
      await withCheckedContinuation { decision = $0 }
    }
  }

  private func startSession(_ walk: any HostWalk, _ rested: RestedSession?, in group: inout DiscardingTaskGroup) {
    sessions += 1
    group.addTask { await self.workOff(over: walk, from: rested) }
  }

  private func workOff(over firstWalk: any HostWalk, from first: RestedSession?) async {
    var rested = first
    if rested == nil { rested = await resting.take(for: destination.name) }
    var walk = rested?.walk ?? firstWalk
    walk.restart()
    var held = rested?.open
    var count = rested?.count ?? 0
    var opened = rested?.opened ?? .now
    /// The note of the message before, which is made durable while the next is under way.
    var noting: Task<Void, Never>?
    while !Task.isCancelled, let delivery = await next() {
      if let session = held?.session,
        !session.takesAnother || count >= limits.messagesOfSession || .now - opened > limits.oldestSession
      {
        await held?.quit()
        held = nil
        walk.restart()
      }
      if held == nil { (count, opened) = (0, .now) }
      let before = pace.state.last
      let (attempt, silence) = await attempt(delivery, &held, &walk)
      // One that has fallen silent would be as silent to each further message. Unless others got on meanwhile, it is let alone.
      if let silence, pace.state.last == before { unreachable = unreachable ?? silence }
      count = held == nil ? 0 : count + 1
      await finish(noting)
      let isLast = sessions == 1 && waiting.isEmpty && unreachable == nil
      noting = Task { await (isLast ? self.noteLast(attempt, of: delivery) : self.note(attempt, of: delivery)) }
      if isLast {
        await finish(noting)
        noting = nil
      }
      if held == nil { walk.restart() }
      if unreachable != nil {
        await deliverWithoutPolicies(over: walk)
        break
      }
      wakeDecision()
    }
    await finish(noting)
    if let held, unreachable == nil {
      await resting.rest(
        RestedSession(open: held, walk: walk, count: count, opened: opened), for: destination.name)
    } else {
      await held?.quit()
    }
    sessions -= 1
    wakeDecision()
  }

  /// The end of the server cuts short the waiting for a store that takes nothing.
  private func finish(_ noting: Task<Void, Never>?) async {
    guard let noting else { return }
    await withTaskCancellationHandler { await noting.value } onCancel: { noting.cancel() }
  }

  // MARK: One message

  /// What became of each recipient, by position.
  private typealias Attempt = [Int: (note: DeliveryNote?, isFinal: Bool)]

  /// Tries the hosts until every recipient is decided, or there is no host left to ask.
  /// - Returns: also what there is to say of a host that let us wait in vain.
  private func attempt(
    _ delivery: QueuedDelivery, _ held: inout OpenSession?, _ walk: inout any HostWalk
  ) async -> (Attempt, silence: DeliveryNote?) {
    var attempt: Attempt = [:]
    var silence: DeliveryNote?
    var remaining = delivery.recipients
    var staleSessions = 0
    /// Why no host was had, when one last refused what another may do.
    var failureBefore: DeliveryNote?
    while !remaining.isEmpty {
      if held == nil {
        held = await walk.next()
        if held != nil { hasReached = true }
      }
      guard var current = held else {
        if Task.isCancelled { break }
        if let way = walk.withoutPolicies(), await forgoesPolicies(delivery.message) {
          var rest = delivery
          rest.recipients = remaining
          return (attempt.merging(await attemptWithoutPolicies(rest, over: way).attempt) { $1 }, silence)
        }
        // Nobody left to ask. What a host has said of a recipient counts more than that the next is not there.
        let note = walk.lastFailure ?? DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "no host answers")
        for recipient in remaining {
          if case (let refused?, true)? = attempt[recipient.position] {
            // The host that was not had may do what the other did not.
            let isFinal = walk.lastFailure == failureBefore || walk.lastFailure?.action != .delayed
            if !isFinal { attempt[recipient.position] = (note, false) }
            log(delivery, recipient, nil, isFinal ? "bounced" : "deferred", refused.explanation ?? "")
            continue
          }
          guard attempt[recipient.position] == nil else { continue }
          let isFinal = note.status.category == 5
          attempt[recipient.position] = (note, isFinal)
          log(
            delivery, recipient, nil, isFinal ? "bounced" : "deferred",
            [note.host, note.reply ?? note.explanation].compactMap(\.self).joined(separator: ": "))
        }
        if !hasReached { unreachable = note }
        break
      }
      let result = await current.session.deliver(message(delivery.message, remaining))
      handedOver.remove(delivery.message.id)
      held = result.failure == nil ? current : nil
      if let failure = result.failure, failure.isStaleSession, staleSessions < 2 {
        staleSessions += 1
        walk.restart()
        continue
      }
      hasReached = true
      // What we cut short ourselves says nothing of the server, unless it may have the message.
      let isCutShort = Task.isCancelled && result.failure.map { $0.stage != .endOfData } == true
      if isCutShort {
        silence = nil
      } else if let failure = result.failure, failure.isSilence {
        silence = DeliveryNote(failure, host: current.host)
      } else {
        silence = nil
        pace.moved()
        unreachable = nil
      }
      var unserved: [QueuedRecipient] = []
      for (recipient, outcome) in zip(remaining, result.outcomes) {
        switch outcome {
        case .delivered(let reply):
          log(delivery, recipient, current, "sent", "\(reply)")
          attempt[recipient.position] = (relayed(delivery.message, recipient, reply, current, result), true)
        case .permanent(let problem) where problem.triesNextHost:
          failureBefore = walk.lastFailure
          attempt[recipient.position] = (DeliveryNote(.failed, problem, host: current.host), true)
          unserved.append(recipient)
        case .permanent(let problem):
          log(delivery, recipient, current, "bounced", "\(problem)")
          attempt[recipient.position] = (DeliveryNote(.failed, problem, host: current.host), true)
        case .temporary where isCutShort: continue
        case .temporary(let problem):
          log(delivery, recipient, current, "deferred", "\(problem)")
          attempt[recipient.position] = (DeliveryNote(.delayed, problem, host: current.host), false)
          if problem.triesNextHost { unserved.append(recipient) }
        }
      }
      if !unserved.isEmpty, held != nil {
        await held?.quit()
        held = nil
      }
      remaining = unserved
    }
    return (attempt, silence)
  }

  // MARK: TLS-Required: No

  private func forgoesPolicies(_ message: QueuedMessage) async -> Bool {
    // RFC 8689 §4.1: REQUIRETLS comes before the field.
    guard !message.mailParameters.requiresTLS,
      let beginning = try? await store.read(
        message.content, range: 0..<min(message.content.size, ReportedMessage.longestHeader))
    else { return false }
    return TLSRequiredField.isNo(in: beginning)
  }

  /// The session is for this message alone, and says nothing of whether the others could be sent.
  private func attemptWithoutPolicies(
    _ delivery: QueuedDelivery, over way: any HostWalk
  ) async -> (attempt: Attempt, hasReached: Bool) {
    let before = hasReached
    defer { hasReached = before }
    var walk = way
    var held: OpenSession?
    let (attempt, _) = await attempt(delivery, &held, &walk)
    await held?.quit()
    return (attempt, hasReached)
  }

  /// The others have to wait: of the messages at hand, those whose senders would rather have them arrive.
  private func deliverWithoutPolicies(over walk: any HostWalk) async {
    guard let way = walk.withoutPolicies() else { return }
    let note = unreachable
    defer { unreachable = note }
    while !waiting.isEmpty, !Task.isCancelled {
      let delivery = waiting.removeFirst()
      guard await forgoesPolicies(delivery.message) else { continue }
      let (attempt, hasReached) = await attemptWithoutPolicies(delivery, over: way)
      await self.note(attempt, of: delivery)
      if !hasReached { break }
    }
  }

  private func beginsToEnd(_ message: QueueID) { handedOver.insert(message) }

  private func message(_ message: QueuedMessage, _ recipients: [QueuedRecipient]) -> OutboundMessage {
    var parameters = message.mailParameters
    // It was for us to hold it back.
    parameters.holdUntil = nil
    parameters.deliverBy = parameters.deliverBy?.remaining(at: clock.now(), since: message.created)
    let (store, content, signature, usesUTF8) = (store, message.content, signature, parameters.usesUTF8)
    return OutboundMessage(
      sender: message.sender.map { .mailbox($0) } ?? .null, parameters: parameters,
      recipients: recipients.map {
        OutboundRecipient($0.address, parameters: $0.recipientParameters)
      },
      content: MessageContent(
        size: content.size, body: parameters.body ?? .sevenBit, hasUTF8Header: parameters.usesUTF8,
        read: { range in
          if range.upperBound == content.size { await self.beginsToEnd(message.id) }
          return try await store.read(content, range: range)
        }),
      sevenBitContent: {
        await self.beginsToEnd(message.id)
        return try await SevenBitContent.make(of: content, in: store, hasUTF8Header: usesUTF8, signature: signature)
      })
  }

  /// A report that it was handed to somebody who sends none (RFC 3461 §5.2.2), or knows nothing of its time, or that each
  /// step is to be told of (RFC 2852 §4.1.4). Who speaks LMTP has the last word: it is there.  RFC 2033 §1.
  private func relayed(
    _ message: QueuedMessage, _ recipient: QueuedRecipient, _ reply: SMTPReply, _ open: OpenSession,
    _ result: MessageResult
  ) -> DeliveryNote? {
    guard recipient.notify != .never else { return nil }
    let request = message.mailParameters.deliverBy
    let isOutOfTime = request?.mode == .notify && !result.passedOnDeliverBy
    let isAskedFor = !result.passedOnDSN && recipient.notify?.contains(.success) == true
    guard isOutOfTime || isAskedFor || request?.isTraced == true else { return nil }
    let action = open.session.dialect == .lmtp ? ReportAction.delivered : .relayed
    return DeliveryNote(action, EnhancedStatus(2, 0, 0), host: open.host, reply: "\(reply)")
  }

  // MARK: Noting

  private func note(_ attempt: Attempt, of delivery: QueuedDelivery) async {
    let progress = progress(attempt, of: delivery)
    guard !progress.isEmpty else { return }
    await persist("queue_not_noted", ["queue_id": "\(delivery.message.id.rawValue)"]) { () throws(StoreError) in
      try await self.store.note(progress)
      self.taken.remove(delivery.message.id)
    }
  }

  /// Where nobody sends anything any more: the store learns that as well, and says whether more has come.
  private func noteLast(_ attempt: Attempt, of delivery: QueuedDelivery) async {
    let (progress, now) = (progress(attempt, of: delivery), clock.now())
    await persist("queue_not_noted", ["queue_id": "\(delivery.message.id.rawValue)"]) { () throws(StoreError) in
      let next = try await self.store.settle(destination: self.destination.name, .reached, noting: progress)
      self.taken.remove(delivery.message.id)
      self.isExhausted = next.map { $0 > now } ?? true
      self.isSettled = self.isExhausted
    }
  }

  private func progress(_ attempt: Attempt, of delivery: QueuedDelivery) -> QueueProgress {
    let now = clock.now()
    var progress = QueueProgress()
    for recipient in delivery.recipients {
      guard let (note, isFinal) = attempt[recipient.position] else { continue }
      progress.outcomes.append(
        (delivery.id(of: recipient), outcome(note, isFinal, recipient, delivery.message, now)))
    }
    return progress
  }

  private func outcome(
    _ note: DeliveryNote?, _ isFinal: Bool, _ recipient: QueuedRecipient, _ message: QueuedMessage, _ now: Timestamp
  ) -> QueuedOutcome {
    guard let note else { return .done }
    guard isFinal else {
      return .retry(at: now.advanced(by: pause(after: recipient.attempts + 1)), result: note.encoded)
    }
    // `relayed` notes are only made where they are wanted.
    guard message.sender != nil, note.action == .relayed || recipient.wants(note.action) else { return .done }
    return .report(at: now.advanced(by: QueueRunner.reportDelay), result: note.encoded)
  }

  /// The destination takes no mail, and will not.
  private func giveBack(_ note: DeliveryNote) async {
    while let delivery = await next() {
      var attempt: Attempt = [:]
      for recipient in delivery.recipients {
        attempt[recipient.position] = (note, true)
        log(delivery, recipient, nil, "bounced", note.explanation ?? "")
      }
      await self.note(attempt, of: delivery)
    }
    hasReached = true
  }

  /// It is not known where its mail goes. One message notes why; the others wait with it.
  private func putOff(_ note: DeliveryNote) async {
    unreachable = note
    guard let delivery = waiting.first else { return }
    var attempt: Attempt = [:]
    for recipient in delivery.recipients {
      attempt[recipient.position] = (note, false)
      log(delivery, recipient, nil, "deferred", note.explanation ?? "")
    }
    await self.note(attempt, of: delivery)
  }

  private func log(
    _ delivery: QueuedDelivery, _ recipient: QueuedRecipient, _ open: OpenSession?, _ status: String, _ reason: String
  ) {
    let delay = Double(clock.now().microseconds - delivery.message.created.microseconds) / 1e6
    var metadata = delivery.metadata(recipient, status: status, reply: reason)
    metadata["relay"] = "\(open?.host ?? "none")"
    metadata["delay"] = "\((delay * 100).rounded() / 100)"
    if let open { metadata["tls"] = "\(open.session.security)" }
    logger.log(level: status == "sent" ? .info : .notice, "delivery", metadata: metadata)
  }
}

extension OpenSession {
  fileprivate mutating func quit() async { await session.quit() }
}

extension DeliveryNote {
  init(_ action: ReportAction, _ problem: DeliveryProblem, host: String) {
    self.init(
      action, problem.status, host: host, reply: problem.reply.map { "\($0)" }, explanation: problem.description)
  }
}
