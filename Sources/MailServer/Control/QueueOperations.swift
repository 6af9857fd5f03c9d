import Delivery
import Logging
import MailStore
import MessageFormat

/// Which messages of the queue an administrator means, as written.
package struct QueueFilterText: Codable, Hashable, Sendable {
  package var ids: [Int64]
  package var sender: String?
  /// The domain of the recipients.
  package var destination: String?
  package var isHeld: Bool
  package init(ids: [Int64] = [], sender: String? = nil, destination: String? = nil, isHeld: Bool = false) {
    self.ids = ids
    self.sender = sender
    self.destination = destination
    self.isHeld = isHeld
  }
}

package struct QueuedMessageSummary: Codable, Hashable, Sendable {
  package struct Recipient: Codable, Hashable, Sendable {
    package var address: String
    /// By which it goes: a name of the configuration, or `direct`.
    package var transport: String
    /// `waiting`, `held`, `reporting`.
    package var state: String
    package var attempts: Int
    /// ISO 8601, UTC; of one that waits.
    package var nextAttempt: String?
    package var status: String?
    package var host: String?
    /// What came of the last attempt, in words.
    package var problem: String?
  }

  package var id: Int64
  /// Empty for the null reverse-path.
  package var sender: String
  package var user: String?
  package var size: Int
  /// ISO 8601, UTC.
  package var created: String
  /// Held back by its sender until then; nil once that is over.
  package var heldUntil: String?
  package var expires: String
  package var recipients: [Recipient]
}

package struct QueueList: Codable, Hashable, Sendable {
  package var messages: [QueuedMessageSummary]
  package var isCutOff: Bool
  /// Of the whole queue: recipients in each state.
  package var waiting: Int64
  package var held: Int64
}

/// The queue, for an administrator.
extension Administration {
  func listQueue(_ text: QueueFilterText, limit: Int) async throws(Refusal) -> AdministrativeReply {
    guard (1...Self.longestList).contains(limit) else { throw Refusal("a list has 1 to \(Self.longestList) messages") }
    let filter = try filter(text)
    let (found, summary) = try await stored("the queue") { () throws(StoreError) in
      (try await store.queuedMessages(filter, limit: limit + 1), try await store.queueSummary())
    }
    var messages: [QueuedMessageSummary] = []
    for delivery in found.prefix(limit) { messages.append(await self.summary(of: delivery)) }
    return .queue(
      QueueList(messages: messages, isCutOff: found.count > limit, waiting: summary.waiting, held: summary.held))
  }

  func changeQueue(_ action: QueueAction, _ filterText: QueueFilterText) async throws(Refusal) -> AdministrativeReply {
    let filter = try filter(filterText)
    let count = try await stored("the queue") { () throws(StoreError) in try await store.perform(action, on: filter) }
    logger.notice("queue_changed", metadata: ["action": "\(action.rawValue)", "recipients": "\(count)"])
    let what =
      switch action {
      case .hold: "held"
      case .release: "released"
      case .retry: "due now"
      case .drop: "dropped"
      }
    return .done("\(count) \(count == 1 ? "recipient" : "recipients") \(what)")
  }

  private func filter(_ text: QueueFilterText) throws(Refusal) -> QueueFilter {
    let sender = try text.sender.map { (sender) throws(Refusal) in try address(sender) }
    guard text.ids.allSatisfy({ $0 > 0 }) else { throw Refusal("an ID of the queue is a number from 1 on") }
    return QueueFilter(
      ids: text.ids.isEmpty ? nil : text.ids.map { QueueID(rawValue: $0) }, sender: sender,
      domain: text.destination?.lowercased(), state: text.isHeld ? .held : nil)
  }

  /// Whoever was released by an administrator is not held any more, whatever its sender wrote.
  private func heldUntil(_ delivery: QueuedDelivery) -> Timestamp? {
    guard let release = delivery.message.heldUntil, release > clock.now() else { return nil }
    let waits = delivery.recipients.contains { $0.attempts == 0 && $0.nextAttempt >= release }
    return waits ? release : nil
  }

  private func summary(of delivery: QueuedDelivery) async -> QueuedMessageSummary {
    let message = delivery.message
    var recipients: [QueuedMessageSummary.Recipient] = []
    for recipient in delivery.recipients {
      var note = DeliveryNote(decoding: recipient.result)
      var next = recipient.nextAttempt
      // What keeps a destination from being tried keeps all its recipients.
      if recipient.state == .waiting, let destination = try? await store.queuedDestination(recipient.destination) {
        note = note ?? DeliveryNote(decoding: destination.result)
        next = max(next, destination.nextAttempt)
      }
      recipients.append(
        QueuedMessageSummary.Recipient(
          address: "\(recipient.address)", transport: QueueDestination(text: recipient.destination).transport,
          state: "\(recipient.state)", attempts: recipient.attempts,
          nextAttempt: recipient.state == .waiting ? iso8601(next) : nil, status: note.map { "\($0.status)" },
          host: note?.host, problem: note?.reply ?? note?.explanation))
    }
    return QueuedMessageSummary(
      id: message.id.rawValue, sender: message.sender.map { "\($0)" } ?? "",
      user: message.account.flatMap { store.directory.account($0) }.map { "\($0.address)" },
      size: message.content.size, created: iso8601(message.created),
      heldUntil: heldUntil(delivery).map { iso8601($0) }, expires: iso8601(message.expires),
      recipients: recipients)
  }
}
