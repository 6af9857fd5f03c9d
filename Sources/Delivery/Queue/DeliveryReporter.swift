import Cryptography
package import Logging
package import MailStore
package import MessageFormat
import SMTP

/// Tells senders what became of their messages: in the same commit the report comes into being, for a mailbox here or for
/// the queue, and what it tells of is done with.
package struct DeliveryReporter: Sendable {
  private let store: MailStore
  private let router: Router
  private let hostname: Domain
  private let schedule: RetrySchedule
  private let clock: WallClock
  private let logger: Logger

  package init(
    store: MailStore, router: Router, hostname: Domain, schedule: RetrySchedule = RetrySchedule(), clock: WallClock,
    logger: Logger
  ) {
    self.store = store
    self.router = router
    self.hostname = hostname
    self.schedule = schedule
    self.clock = clock
    self.logger = logger
  }

  /// What is due to be reported.
  func report(_ delivery: QueuedDelivery) async throws(StoreError) {
    var progress = QueueProgress()
    progress.outcomes = delivery.recipients.map {
      (delivery.id(of: $0), .done)
    }
    try await send(delivery, progress) { recipient in DeliveryNote(decoding: recipient.result) }
  }

  /// That it takes longer. The recipients wait on.
  func warn(_ delivery: QueuedDelivery) async throws(StoreError) {
    var progress = QueueProgress()
    progress.warned = [delivery.message.id]
    try await send(delivery, progress) { recipient in
      guard recipient.wants(.delayed) else { return nil }
      var note =
        DeliveryNote(decoding: recipient.result)
        ?? DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "its server could not be reached so far")
      note.action = .delayed
      return note
    }
  }

  private func send(
    _ delivery: QueuedDelivery, _ progress: QueueProgress, _ note: (QueuedRecipient) -> DeliveryNote?
  ) async throws(StoreError) {
    let (message, now) = (delivery.message, DateTime(timestamp: clock.now(), offsetMinutes: 0))
    let reported = delivery.recipients.compactMap { recipient in
      note(recipient).map {
        ReportedRecipient(
          address: recipient.address,
          original: recipient.recipientParameters.originalRecipient, note: $0,
          lastAttempt: recipient.attempts > 0 ? now : nil,
          triesUntil: $0.action == .delayed ? DateTime(timestamp: message.expires, offsetMinutes: 0) : nil)
      }
    }
    // RFC 5321 §4.5.5: nobody is told of the fate of a report.
    guard let sender = message.sender, !reported.isEmpty else { return try await store.note(progress) }
    let report = DeliveryReport(
      to: sender, hostname: hostname.text, token: token(), date: now, message: try await self.reported(message),
      recipients: reported)
    let content = report.content
    let body = try await stage(content, message)
    switch try await router.route(sender, from: .server) {
    case .deliver(let accounts, let elsewhere):
      let plan = LocalDeliveryPlan(
        recipients: accounts.isEmpty ? [] : [AcceptedRecipient(address: sender, accounts: accounts)], from: nil,
        received: nil, enforcesQuota: false)
      let queued = elsewhere.isEmpty ? [] : [queuedReport(to: elsewhere, content)]
      _ = try await store.deliver(
        body, to: plan.deliveries, queued: queued, internalDate: now, progress: progress)
    case .remote:
      _ = try await store.deliver(
        body, to: [], queued: [queuedReport(to: [sender], content)], internalDate: now, progress: progress)
    case .unknown, .loop, .closed:
      logger.notice("report_undeliverable", metadata: ["to": "\(sender)", "queue_id": "\(message.id.rawValue)"])
      try await store.note(progress)
    }
  }

  private func queuedReport(to recipients: [EmailAddress], _ content: DeliveryReport.Content) -> NewQueuedMessage {
    var parameters = MailParameters()
    if content.isEightBit { parameters.body = .eightBit }
    parameters.usesUTF8 = content.isUTF8
    return NewQueuedMessage(
      sender: nil, account: nil, parameters, prefix: [], recipients: recipients.map { ($0, nil) },
      schedule, now: clock.now())
  }

  private func reported(_ message: QueuedMessage) async throws(StoreError) -> ReportedMessage {
    let parameters = message.mailParameters
    let beginning = try await store.read(message.content, range: 0..<ReportedMessage.longestHeader)
    var reported = ReportedMessage(
      beginning: beginning, size: message.content.size, isUTF8: parameters.usesUTF8,
      isEightBit: parameters.body != nil && parameters.body != .sevenBit)
    reported.envelopeID = parameters.envelopeID
    reported.returnedContent = parameters.returnedContent
    reported.arrived = DateTime(timestamp: message.created, offsetMinutes: 0)
    return reported
  }

  private static let pieceSize = 256 << 10

  private func stage(_ content: DeliveryReport.Content, _ message: QueuedMessage) async throws(StoreError)
    -> StagedBody
  {
    let stage = store.stageBody(expectedSize: content.size)
    do throws(StoreError) {
      try await stage.append(content.head)
      var position = content.original?.lowerBound ?? 0
      while let range = content.original, position < range.upperBound {
        let end = min(position + Self.pieceSize, range.upperBound)
        try await stage.append(try await store.read(message.content, range: position..<end))
        position = end
      }
      try await stage.append(content.tail)
      return try await stage.finish()
    } catch {
      stage.discard()
      throw error
    }
  }

  private func token() -> String {
    let random = randomBytes(10).map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
    return String(clock.now().microseconds, radix: 36) + random
  }
}
