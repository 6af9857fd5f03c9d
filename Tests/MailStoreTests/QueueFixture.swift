import MailStore
import MessageFormat

/// What tests of the queue do again and again.
extension StoreFixture {
  /// When they take place.
  static let queueTime = Timestamp(seconds: 1_800_000_000)

  static func queuedMessage(_ recipients: [String], account: AccountID? = nil) -> NewQueuedMessage {
    NewQueuedMessage(
      sender: EmailAddress("me@example.test"), account: account, parameters: "RET=HDRS",
      prefix: Array("Received: here\r\n".utf8), notBefore: queueTime,
      expires: queueTime.advanced(by: .seconds(432_000)), warns: queueTime.advanced(by: .seconds(14_400)),
      recipients: recipients.map {
        let address = EmailAddress($0)!
        return NewQueuedRecipient(address: address, destination: address.domain.text, parameters: "NOTIFY=NEVER")
      })
  }

  func enqueue(_ recipients: [String], account: AccountID? = nil, body: String = "Hello.\r\n") async throws {
    _ = try await store.deliver(
      try await stage(mail("queued", body: body)), to: [],
      queued: [Self.queuedMessage(recipients, account: account)], internalDate: Self.date)
  }

  /// Names of the destinations that are due.
  func due(at time: Timestamp = queueTime) async throws -> [String] {
    try await look(at: time).destinations.map(\.name)
  }

  func look(at time: Timestamp = queueTime) async throws -> QueueLook {
    try await store.look(atQueue: time, without: [], QueueRoom(reachable: 10, unreachable: 10))
  }

  func deliveries(
    _ destination: String, at time: Timestamp = queueTime, limit: Int = 10
  ) async throws -> [QueuedDelivery] {
    try await store.dueDeliveries(for: destination, at: time, after: nil, without: [], limit: limit)
  }

  func finish(_ delivery: QueuedDelivery) async throws {
    var progress = QueueProgress()
    progress.outcomes = delivery.recipients.map { (delivery.id($0.position), .done) }
    try await store.note(progress)
  }

  /// Of all recipients in the queue.
  func queueStates() async throws -> [String] {
    try await store.queuedMessages(QueueFilter(), limit: 100).flatMap(\.recipients).map { "\($0.address) \($0.state)" }
  }
}

extension QueuedDelivery {
  func id(_ position: Int) -> QueuedRecipientID { QueuedRecipientID(message: message.id, position: position) }
}
