import Logging
import MailStore
import MessageFormat
import SMTP

/// Mail for mailboxes here that was held back until a time of its sender's choice.  RFC 4865.
///
/// Until then it is in the queue, for a destination that no domain can have. Whose mailbox an address leads to is asked
/// anew; whether its sender may write to it, and the room in it, was asked for when the message came.
struct HeldMail {
  static let destination = "[here]"

  let store: MailStore
  let router: Router
  let schedule: RetrySchedule
  let clock: WallClock
  let logger: Logger

  private static let messagesAtOnce = 20

  /// Returns when nothing is due any more.
  func release() async {
    do throws(StoreError) {
      while !Task.isCancelled {
        let due = try await store.dueDeliveries(
          for: Self.destination, at: clock.now(), after: nil, without: [], limit: Self.messagesAtOnce)
        if due.isEmpty { break }
        for delivery in due { try await deliverOrPutOff(delivery) }
      }
      try await store.settle(destination: Self.destination, .reached)
    } catch {
      if error != .closed { logger.error("held_mail_not_delivered", metadata: ["error": "\(error)"]) }
      let later = clock.now().advanced(by: schedule.firstPause)
      _ = try? await store.settle(destination: Self.destination, .unreachable(until: later, result: ""))
    }
  }

  /// A message that can't be delivered waits by itself: it must not keep the others. Where the store does not even take
  /// that, everything waits.
  private func deliverOrPutOff(_ delivery: QueuedDelivery) async throws(StoreError) {
    do throws(StoreError) {
      try await deliver(delivery)
    } catch {
      guard error != .closed else { throw error }
      logger.error(
        "held_mail_not_delivered", metadata: ["queue_id": "\(delivery.message.id.rawValue)", "error": "\(error)"])
      let note = DeliveryNote(
        .delayed, EnhancedStatus(4, 3, 0), explanation: "this server could not put it into the mailbox so far")
      var progress = QueueProgress()
      progress.outcomes = delivery.recipients.map { recipient in
        let pause = schedule.pause(after: recipient.attempts + 1, random: Double.random(in: 0...1))
        return (delivery.id(of: recipient), .retry(at: clock.now().advanced(by: pause), result: note.encoded))
      }
      try await store.note(progress)
    }
  }

  /// By one commit it is in the mailboxes and done with.
  private func deliver(_ delivery: QueuedDelivery) async throws(StoreError) {
    let (message, now) = (delivery.message, clock.now())
    var accepted: [AcceptedRecipient] = []
    var progress = QueueProgress()
    for recipient in delivery.recipients {
      var note = DeliveryNote(.delivered, EnhancedStatus(2, 1, 5))
      if case .deliver(let accounts, _) = try await router.route(recipient.address, from: .server), !accounts.isEmpty {
        accepted.append(AcceptedRecipient(address: recipient.address, accounts: accounts))
      } else {
        note = DeliveryNote(.failed, EnhancedStatus(5, 1, 1), explanation: "there is no such mailbox here any more")
      }
      let isReported = message.sender != nil && recipient.wants(note.action)
      progress.outcomes.append(
        (delivery.id(of: recipient), isReported ? .report(at: now, result: note.encoded) : .done))
      logger.info(
        "delivery",
        metadata: delivery.metadata(
          recipient, status: note.action == .failed ? "bounced" : "stored", reply: note.explanation ?? "released"))
    }
    guard !accepted.isEmpty else { return try await store.note(progress) }
    let plan = LocalDeliveryPlan(recipients: accepted, from: message.sender, received: nil, enforcesQuota: false)
    let stage = store.stageBody(expectedSize: message.content.size)
    let body: StagedBody
    do throws(StoreError) {
      var pieces = store.pieces(of: message.content, 0..<message.content.size)
      while let piece = try await pieces.next() { try await stage.append(piece) }
      body = try await stage.finish()
    } catch {
      stage.discard()
      throw error
    }
    _ = try await store.deliver(
      body, to: plan.deliveries, queued: [], internalDate: DateTime(timestamp: now, offsetMinutes: 0),
      progress: progress)
  }
}
