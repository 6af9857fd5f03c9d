package import MessageFormat
package import SQLite

/// What the scheduler and the administrator ask of the queue.
extension Database {
  /// - Parameter busy: names to leave out.
  package func dueDestinations(
    at time: Timestamp, without busy: Set<String>, _ room: QueueRoom
  ) throws(StoreError) -> [QueuedDestination] {
    var found: [QueuedDestination] = []
    var known = busy
    func add(upTo count: Int, _ sql: StaticString, since: Int64 = .min) throws(StoreError) {
      guard found.count < count else { return }
      let most = Int64(count + known.count)
      try each(sql, .integer(since), .integer(time.microseconds), .integer(most)) { row in
        if found.count < count, known.insert(row.text(0)).inserted { found.append(QueuedDestination(row)) }
      }
    }
    for (since, count) in room.fresh {
      try add(
        upTo: count,
        """
        SELECT name, next_attempt, failures, result FROM queued_destinations
        WHERE failures = 0 AND next_attempt BETWEEN ? AND ? ORDER BY next_attempt DESC LIMIT ?
        """, since: since.microseconds)
    }
    try add(
      upTo: room.reachable,
      """
      SELECT name, next_attempt, failures, result FROM queued_destinations
      WHERE failures = 0 AND next_attempt BETWEEN ? AND ? ORDER BY next_attempt LIMIT ?
      """)
    try add(
      upTo: found.count + room.unreachable,
      """
      SELECT name, next_attempt, failures, result FROM queued_destinations
      WHERE failures > 0 AND next_attempt BETWEEN ? AND ? ORDER BY next_attempt LIMIT ?
      """)
    return found
  }

  /// The next moment after `time` at which something of the queue is due.
  package func nextQueueEvent(after time: Timestamp) throws(StoreError) -> Timestamp? {
    try one(
      """
      SELECT min(t) FROM (
        SELECT min(next_attempt) AS t FROM queued_destinations WHERE failures = 0 AND next_attempt > ?1
        UNION ALL SELECT min(next_attempt) FROM queued_destinations WHERE failures > 0 AND next_attempt > ?1
        UNION ALL SELECT min(next_attempt) FROM queued_recipients WHERE state = 2 AND next_attempt > ?1
        UNION ALL SELECT min(warns) FROM queued_messages WHERE warns > ?1
        UNION ALL SELECT min(expires) FROM queued_messages WHERE expires > ?1)
      """, .integer(time.microseconds)
    ) { $0.optionalInteger(0) }.flatMap { $0 }.map { Timestamp(microseconds: $0) }
  }

  /// Messages that are due for a destination, a few of each account in turn, so that nobody's thousand stand before
  /// another's one; of each account and of all that are found, the most urgent first.
  /// - Parameters:
  ///   - last: the account that had its turn last; the next in order begins.
  ///   - taken: messages to leave out.
  package func dueDeliveries(
    for destination: String, at time: Timestamp, after last: AccountID?, without taken: Set<QueueID>, limit: Int
  ) throws(StoreError) -> [QueuedDelivery] {
    let perAccount = max(1, limit / 4)
    let last = last?.rawValue ?? -1
    var messages: [(id: Int64, priority: Int64)] = []
    var account = last
    var hasWrapped = false
    var turns = 0
    while messages.count < limit, turns < limit {
      let next = try one(
        """
        SELECT account FROM queued_recipients WHERE state = 0 AND destination = ? AND account > ?
        ORDER BY account LIMIT 1
        """, .text(destination), .integer(account)
      ) { $0.integer(0) }
      guard let next, !hasWrapped || next <= last else {
        if hasWrapped { break }
        (hasWrapped, account) = (true, -1)
        continue
      }
      account = next
      turns += 1
      messages += try dueMessages(of: next, for: destination, at: time, without: taken, limit: perAccount)
    }
    var deliveries: [QueuedDelivery] = []
    // Sorting is stable, so accounts have their turns within a priority.
    for message in messages.sorted(by: { $0.priority > $1.priority }).prefix(limit).map(\.id) {
      guard let message = try queuedMessage(message) else { continue }
      var recipients: [QueuedRecipient] = []
      try each(
        """
        SELECT position, address, destination, parameters, state, attempts, next_attempt, result
        FROM queued_recipients WHERE message = ? AND state = 0 AND destination = ? AND next_attempt <= ?
        ORDER BY position LIMIT ?
        """, .integer(message.id.rawValue), .text(destination), .integer(time.microseconds),
        .integer(Self.recipientLimit)
      ) { if let recipient = QueuedRecipient($0) { recipients.append(recipient) } }
      if !recipients.isEmpty { deliveries.append(QueuedDelivery(message: message, recipients: recipients)) }
    }
    return deliveries
  }

  /// An account's own, the most urgent first.
  private func dueMessages(
    of account: Int64, for destination: String, at time: Timestamp, without taken: Set<QueueID>, limit: Int
  ) throws(StoreError) -> [(id: Int64, priority: Int64)] {
    var found: [(id: Int64, priority: Int64)] = []
    var priority = Int64.max
    while found.count < limit,
      let level = try one(
        """
        SELECT priority FROM queued_recipients WHERE state = 0 AND destination = ? AND account = ? AND priority < ?
        ORDER BY priority DESC LIMIT 1
        """, .text(destination), .integer(account), .integer(priority), row: { $0.integer(0) })
    {
      priority = level
      try each(
        """
        SELECT message FROM queued_recipients
        WHERE state = 0 AND destination = ? AND account = ? AND priority = ? AND next_attempt <= ?
        ORDER BY next_attempt LIMIT ?
        """, .text(destination), .integer(account), .integer(level), .integer(time.microseconds),
        .integer(Int64(limit + taken.count))
      ) { row in
        let message = row.integer(0)
        if found.count < limit, !found.contains(where: { $0.id == message }),
          !taken.contains(QueueID(rawValue: message))
        {
          found.append((message, level))
        }
      }
    }
    return found
  }

  /// Of one transaction; every server takes as many.  RFC 5321 §4.5.3.1.8.
  private static let recipientLimit: Int64 = 100

  /// Messages of which something is to be reported by now, with those recipients.
  package func dueReports(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery] {
    var messages: [Int64] = []
    try each(
      "SELECT message FROM queued_recipients WHERE state = 2 AND next_attempt <= ? ORDER BY next_attempt LIMIT ?",
      .integer(time.microseconds), .integer(Int64(limit))
    ) { if !messages.contains($0.integer(0)) { messages.append($0.integer(0)) } }
    return try deliveries(messages) { $0 == .reporting }
  }

  /// Messages that wait and whose senders are to be told, with the recipients that wait.
  package func lateMessages(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery] {
    var messages: [Int64] = []
    try each(
      "SELECT id FROM queued_messages WHERE warns <= ? ORDER BY warns LIMIT ?", .integer(time.microseconds),
      .integer(Int64(limit))
    ) { messages.append($0.integer(0)) }
    return try deliveries(messages) { $0 == .waiting }
  }

  /// Messages whose time is over, with the recipients that still wait.
  package func expiredMessages(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery] {
    var messages: [Int64] = []
    try each(
      """
      SELECT id FROM queued_messages m WHERE expires <= ?
        AND EXISTS (SELECT 1 FROM queued_recipients r WHERE r.message = m.id AND r.state = 0)
      ORDER BY expires LIMIT ?
      """, .integer(time.microseconds), .integer(Int64(limit))
    ) { messages.append($0.integer(0)) }
    return try deliveries(messages) { $0 == .waiting }
  }

  private func deliveries(
    _ messages: [Int64], _ isWanted: (QueuedRecipient.State) -> Bool
  ) throws(StoreError) -> [QueuedDelivery] {
    var deliveries: [QueuedDelivery] = []
    for id in messages {
      guard let message = try queuedMessage(id) else { continue }
      deliveries.append(
        QueuedDelivery(message: message, recipients: try queuedRecipients(of: id).filter { isWanted($0.state) }))
    }
    return deliveries
  }

  func queuedMessage(_ id: Int64) throws(StoreError) -> QueuedMessage? {
    try one(
      "SELECT id, sender, account, parameters, created, expires, prefix, body, size FROM queued_messages WHERE id = ?",
      .integer(id), row: QueuedMessage.init)
  }

  func queuedRecipients(of message: Int64) throws(StoreError) -> [QueuedRecipient] {
    var recipients: [QueuedRecipient] = []
    try each(
      """
      SELECT position, address, destination, parameters, state, attempts, next_attempt, result
      FROM queued_recipients WHERE message = ? ORDER BY position
      """, .integer(message)
    ) { if let recipient = QueuedRecipient($0) { recipients.append(recipient) } }
    return recipients
  }

  /// Recipients that are still to be delivered, in the order of their keys, after `last`, with the senders of their messages.
  package func queuedWays(
    after last: QueuedRecipientID?, limit: Int
  ) throws(StoreError) -> [QueuedWay] {
    var found: [QueuedWay] = []
    try each(
      """
      SELECT r.message, r.position, r.address, m.sender, r.destination
      FROM queued_recipients r JOIN queued_messages m ON m.id = r.message
      WHERE (r.message, r.position) > (?, ?) AND r.state <> 2 ORDER BY r.message, r.position LIMIT ?
      """, .integer(last?.message.rawValue ?? 0), .integer(Int64(last?.position ?? -1)), .integer(Int64(limit))
    ) { row in
      found.append(
        QueuedWay(
          id: QueuedRecipientID(message: QueueID(rawValue: row.integer(0)), position: Int(row.integer(1))),
          recipient: EmailAddress(row.text(2)), sender: EmailAddress(row.text(3)), destination: row.text(4)))
    }
    return found
  }

  package func queueRoutes() throws(StoreError) -> Int64? {
    try one("SELECT value FROM state WHERE name = 'queue_routes'") { $0.integer(0) }
  }

  package func queuedDestination(_ name: String) throws(StoreError) -> QueuedDestination? {
    try one(
      "SELECT name, next_attempt, failures, result FROM queued_destinations WHERE name = ?", .text(name),
      row: QueuedDestination.init)
  }

  /// In the order of their coming, after `last`.
  package func queuedMessages(
    _ filter: QueueFilter, after last: QueueID?, limit: Int
  ) throws(StoreError) -> [QueuedDelivery] {
    var found: [QueuedDelivery] = []
    var position = last?.rawValue ?? 0
    while found.count < limit {
      var piece: [Int64] = []
      if let ids = filter.ids {
        piece = ids.map(\.rawValue).filter { $0 > position }.sorted().prefix(Self.pieceSize).map { $0 }
      } else {
        try each(
          "SELECT id FROM queued_messages WHERE id > ? AND (?2 IS NULL OR sender = ?2) ORDER BY id LIMIT ?3",
          .integer(position), .text(filter.sender.map { "\($0)" }), .integer(Int64(Self.pieceSize))
        ) { piece.append($0.integer(0)) }
      }
      guard let end = piece.last else { break }
      position = end
      for delivery in try deliveries(piece, { _ in true }) where filter.matches(delivery) {
        found.append(delivery)
        if found.count == limit { break }
      }
    }
    return found
  }

  private static let pieceSize = 500

  package func queueSummary() throws(StoreError) -> QueueSummary {
    var summary = QueueSummary()
    summary.messages = try one("SELECT count(*) FROM queued_messages") { $0.integer(0) } ?? 0
    try each("SELECT state, count(*) FROM queued_recipients GROUP BY state") { row in
      switch QueuedRecipient.State(rawValue: row.integer(0)) {
      case .waiting: summary.waiting = row.integer(1)
      case .held: summary.held = row.integer(1)
      case .reporting: summary.reporting = row.integer(1)
      case nil: break
      }
    }
    return summary
  }
}

extension QueueFilter {
  fileprivate func matches(_ delivery: QueuedDelivery) -> Bool {
    if let sender, delivery.message.sender != sender { return false }
    return delivery.recipients.contains { matches($0) }
  }

  func matches(_ recipient: QueuedRecipient) -> Bool {
    if let domain, recipient.address.domain.text != domain { return false }
    if let state, recipient.state != state { return false }
    return true
  }
}

extension QueuedDestination {
  /// Columns: name, next_attempt, failures, result.
  fileprivate init(_ row: Row) {
    self.init(
      name: row.text(0), nextAttempt: Timestamp(microseconds: row.integer(1)), failures: Int(row.integer(2)),
      result: row.text(3))
  }
}

extension QueuedMessage {
  /// Columns: id, sender, account, parameters, created, expires, prefix, body, size.
  fileprivate init(_ row: Row) {
    let prefix = row.blob(6)
    self.init(
      id: QueueID(rawValue: row.integer(0)), sender: EmailAddress(row.text(1)),
      account: row.integer(2) == 0 ? nil : AccountID(rawValue: row.integer(2)), parameters: row.text(3),
      created: Timestamp(microseconds: row.integer(4)), expires: Timestamp(microseconds: row.integer(5)),
      content: ContentReference(
        prefix: prefix, bodyID: row.integer(7), bodySize: Int(row.integer(8)) - prefix.count))
  }
}

extension QueuedRecipient {
  /// Columns: position, address, destination, parameters, state, attempts, next_attempt, result. Nil for what is not an
  /// address: a verification reports it.
  fileprivate init?(_ row: Row) {
    guard let address = EmailAddress(row.text(1)), let state = State(rawValue: row.integer(4)) else { return nil }
    self.init(
      position: Int(row.integer(0)), address: address, destination: row.text(2), parameters: row.text(3), state: state,
      attempts: Int(row.integer(5)), nextAttempt: Timestamp(microseconds: row.integer(6)), result: row.text(7))
  }
}
