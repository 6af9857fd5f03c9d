import Bytes
import Cryptography
package import Logging
package import MailStore
package import MessageFormat
import SMTP

/// Tells senders what became of their messages: in the same commit the report comes into being, for a mailbox here or for
/// the queue, and what it tells of is done with.
package struct DeliveryReporter: Sendable {
  private let store: MailStore
  private let mail: OwnMail
  private let hostname: Domain
  private let schedule: RetrySchedule
  private let clock: WallClock
  private let logger: Logger

  package init(
    store: MailStore, mail: OwnMail, hostname: Domain, schedule: RetrySchedule = RetrySchedule(), clock: WallClock,
    logger: Logger
  ) {
    self.store = store
    self.mail = mail
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
    // RFC 2852 §4.1: it was the sender who named the time, so only NOTIFY=NEVER keeps it quiet.
    let request = delivery.message.mailParameters.deliverBy
    let isLate = request?.hasRunOut(at: clock.now(), since: delivery.message.created) == true
    try await send(delivery, progress) { recipient in
      guard isLate ? recipient.notify != .never : recipient.wants(.delayed) else { return nil }
      var note =
        DeliveryNote(decoding: recipient.result)
        ?? DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "its server could not be reached so far")
      note.action = .delayed
      if isLate { note.status = EnhancedStatus(4, 4, 7) }
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
    var letter = OwnMail.Letter(to: sender, from: hostname, head: content.head)
    letter.original = content.original.map { (message.content, $0) }
    letter.tail = content.tail
    if content.isEightBit { letter.parameters.body = .eightBit }
    letter.parameters.usesUTF8 = content.isUTF8
    // RFC 8689 §5: what it tells of the message is worth as much care.
    letter.parameters.requiresTLS = message.mailParameters.requiresTLS
    if try await !mail.send(letter, schedule, progress: progress) {
      logger.notice("report_undeliverable", metadata: ["to": "\(sender)", "queue_id": "\(message.id.rawValue)"])
      try await store.note(progress)
    }
  }

  private func reported(_ message: QueuedMessage) async throws(StoreError) -> ReportedMessage {
    let parameters = message.mailParameters
    let beginning = try await store.read(message.content, range: 0..<ReportedMessage.longestHeader)
    var reported = ReportedMessage(
      beginning: beginning, size: message.content.size, isUTF8: parameters.usesUTF8,
      isEightBit: parameters.body != nil && parameters.body != .sevenBit)
    reported.envelopeID = parameters.envelopeID
    // RFC 8689 §5: the message itself does not go back over ways that nobody knows.
    reported.returnedContent = parameters.requiresTLS ? .headers : parameters.returnedContent
    reported.deliverBy = parameters.deliverBy.map {
      DateTime(timestamp: message.created.advanced(by: .seconds($0.seconds)), offsetMinutes: 0)
    }
    reported.arrived = DateTime(timestamp: message.created, offsetMinutes: 0)
    return reported
  }

  private func token() -> String {
    String(clock.now().microseconds, radix: 36) + hexadecimal(randomBytes(10))
  }
}
