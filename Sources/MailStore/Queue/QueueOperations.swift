import MessageFormat
import SQLite

/// The queue, as the writer's thread changes it.
extension WriteContext {
  /// The body is stored in the same group.
  func enqueue(_ message: NewQueuedMessage, body: Int64, size: Int) throws(StoreError) -> QueueID {
    let recorded = RecordedQueuedMessage(message, id: newID(), body: body, created: clock.now())
    try insert(.queued(recorded, size: Int64(size)))
    record(.queued(recorded))
    isQueueChanged = true
    return QueueID(rawValue: recorded.id)
  }

  /// What is no longer there is left out. Returns what nobody needs once this is committed.
  func note(_ progress: QueueProgress) throws(StoreError) -> [UnusedBody] {
    var finished: [QueueID: [Int64]] = [:]
    /// Of which recipients have been tried.
    var tried: Set<Int64> = []
    for (recipient, outcome) in progress.outcomes {
      let (message, position) = (recipient.message.rawValue, Int64(recipient.position))
      switch outcome {
      case .done:
        finished[recipient.message, default: []].append(position)
        tried.insert(message)
      case .retry(let time, let result):
        try database.change(
          """
          UPDATE queued_recipients SET attempts = attempts + 1, next_attempt = ?, result = ?
          WHERE message = ? AND position = ?
          """, .integer(time.microseconds), .text(result), .integer(message), .integer(position))
        tried.insert(message)
      case .report(let time, let result):
        let isKnown = try database.one(
          "SELECT 1 FROM queued_recipients WHERE message = ? AND position = ? AND state = 2", .integer(message),
          .integer(position)
        ) { _ in true }
        // A report that could not be made waits for its time.
        if isKnown == nil { tried.insert(message) }
        try database.change(
          """
          UPDATE queued_recipients SET state = 2, attempts = attempts + 1, next_attempt = ?, result = ?
          WHERE message = ? AND position = ?
          """, .integer(time.microseconds), .text(result), .integer(message), .integer(position))
        if database.changedRows > 0 {
          record(
            .queueState(
              message: message, positions: [position], state: UInt8(QueuedRecipient.State.reporting.rawValue),
              result: result))
        }
      }
    }
    var unused: [UnusedBody] = []
    for (message, positions) in finished.sorted(by: { $0.key < $1.key }) {
      unused += try unqueue(message.rawValue, positions)
    }
    for message in tried { try hastenReport(of: message) }
    for message in progress.warned {
      try database.change("UPDATE queued_messages SET warns = NULL WHERE id = ?", .integer(message.rawValue))
    }
    for (key, recipient) in progress.told { try noteTold(recipient, of: key) }
    return unused
  }

  /// What is to be reported waits for the first attempts of the message's other recipients, and no longer.
  private func hastenReport(of message: Int64) throws(StoreError) {
    let waits = try database.one(
      "SELECT 1 FROM queued_recipients WHERE message = ? AND state = 0 AND attempts = 0 LIMIT 1", .integer(message)
    ) { _ in true }
    guard waits == nil else { return }
    try database.change(
      "UPDATE queued_recipients SET next_attempt = min(next_attempt, ?) WHERE message = ? AND state = 2",
      .integer(clock.now().microseconds), .integer(message))
    if database.changedRows > 0 { isQueueChanged = true }
  }

  private func unqueue(_ message: Int64, _ positions: [Int64]) throws(StoreError) -> [UnusedBody] {
    record(.unqueued(message: message, positions: positions))
    return try database.unqueue(message, positions).map { [UnusedBody(id: $0)] } ?? []
  }

  /// The scheduler is done with the destination for now. Returns when something for it is due; nil where nothing waits.
  func settle(destination: String, _ outcome: DestinationOutcome) throws(StoreError) -> Timestamp? {
    let now = clock.now()
    guard var next = try database.nextAttempt(for: destination) else {
      try database.change("DELETE FROM queued_destinations WHERE name = ?", .text(destination))
      return nil
    }
    switch outcome {
    case .untried:
      try database.change(
        "UPDATE queued_destinations SET next_attempt = ? WHERE name = ?", .integer(next.microseconds),
        .text(destination))
    case .reached:
      try database.change(
        """
        UPDATE queued_destinations SET next_attempt = ?, last_attempt = ?, failures = 0, result = '' WHERE name = ?
        """, .integer(next.microseconds), .integer(now.microseconds), .text(destination))
    case .unreachable(let time, let result):
      next = max(next, time)
      try database.change(
        """
        UPDATE queued_destinations SET next_attempt = ?, last_attempt = ?, failures = failures + 1, result = ?
        WHERE name = ?
        """, .integer(next.microseconds), .integer(now.microseconds), .text(result), .text(destination))
    }
    return next
  }

  /// Does it with the recipients of these messages that match the filter. Returns how many there were, and what nobody
  /// needs once this is committed.
  func perform(
    _ action: QueueAction, on messages: [QueueID], _ filter: QueueFilter
  ) throws(StoreError) -> (recipients: Int, unused: [UnusedBody]) {
    let now = clock.now()
    var count = 0
    var unused: [UnusedBody] = []
    for id in messages {
      let recipients = try database.queuedRecipients(of: id.rawValue).filter { filter.matches($0) }
        .filter { action.applies(to: $0, at: now) }
      guard !recipients.isEmpty else { continue }
      count += recipients.count
      let positions = recipients.map { Int64($0.position) }
      switch action {
      case .drop: unused += try unqueue(id.rawValue, positions)
      case .hold: try setState(.held, id.rawValue, recipients)
      case .release, .retry: try setState(.waiting, id.rawValue, recipients)
      }
      if action == .release || action == .retry {
        for recipient in recipients {
          try database.change(
            "UPDATE queued_recipients SET next_attempt = ? WHERE message = ? AND position = ?",
            .integer(now.microseconds), .integer(id.rawValue), .integer(Int64(recipient.position)))
          try database.note(destination: recipient.destination, due: now, whateverHappened: true)
        }
      }
    }
    isQueueChanged = true
    return (count, unused)
  }

  /// Gives recipients other destinations. What had been tried is due at once: the new way may be a better one. The packs
  /// do not know of it: after a repair it is done again.
  func reroute(_ moves: [(recipient: QueuedRecipientID, destination: String)]) throws(StoreError) {
    let now = clock.now()
    for (recipient, destination) in moves {
      let (message, position) = (SQLValue.integer(recipient.message.rawValue), Int64(recipient.position))
      try database.change(
        """
        UPDATE queued_recipients SET destination = ?, next_attempt = CASE WHEN attempts = 0 THEN next_attempt ELSE
          min(next_attempt, ?) END WHERE message = ? AND position = ?
        """, .text(destination), .integer(now.microseconds), message, .integer(position))
      let due = try database.one(
        "SELECT next_attempt FROM queued_recipients WHERE message = ? AND position = ? AND state = 0", message,
        .integer(position)
      ) { Timestamp(microseconds: $0.integer(0)) }
      if let due { try database.note(destination: destination, due: due, whateverHappened: true) }
    }
    isQueueChanged = true
  }

  /// The packs do not know of it, either.
  func setQueueRoutes(_ mark: Int64) throws(StoreError) {
    try database.change("INSERT OR REPLACE INTO state (name, value) VALUES ('queue_routes', ?)", .integer(mark))
  }

  private func setState(
    _ state: QueuedRecipient.State, _ message: Int64, _ recipients: [QueuedRecipient]
  ) throws(StoreError) {
    for recipient in recipients where recipient.state != state {
      try database.setQueueState(message, [Int64(recipient.position)], state.rawValue, recipient.result)
      record(
        .queueState(
          message: message, positions: [Int64(recipient.position)], state: UInt8(state.rawValue),
          result: recipient.result))
    }
  }
}

extension QueueAction {
  fileprivate func applies(to recipient: QueuedRecipient, at now: Timestamp) -> Bool {
    switch self {
    case .hold: recipient.state == .waiting
    case .release:
      recipient.state == .held
        || recipient.state == .waiting && recipient.attempts == 0 && recipient.nextAttempt > now
    case .retry: recipient.state != .reporting
    case .drop: true
    }
  }
}

extension RecordedQueuedMessage {
  fileprivate init(_ message: NewQueuedMessage, id: Int64, body: Int64, created: Timestamp) {
    self.init(
      id: id, body: body, prefix: message.prefix, created: created.microseconds,
      expires: message.expires.microseconds, warns: message.warns?.microseconds,
      notBefore: message.notBefore.microseconds, account: message.account?.rawValue ?? 0,
      sender: message.sender.map { "\($0)" } ?? "", parameters: message.parameters, priority: Int64(message.priority),
      recipients: message.recipients.enumerated().map { position, recipient in
        Recipient(
          position: Int64(position), address: "\(recipient.address)", destination: recipient.destination,
          parameters: recipient.parameters,
          state: UInt8((recipient.result == nil ? QueuedRecipient.State.waiting : .reporting).rawValue),
          result: recipient.result ?? "")
      })
  }
}

/// What the writer, a start after a power cut and a repair do alike.
extension Database {
  /// One that could not be reached is not tried more often than this for new messages.
  private static let shortestPause = Duration.seconds(300)

  func insertQueued(_ message: RecordedQueuedMessage, size: Int64) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO queued_messages (id, body, size, prefix, created, warns, expires, account, sender,
        parameters) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      .integer(message.id), .integer(message.body), .integer(size), .blob(message.prefix),
      .integer(message.created), .integer(message.warns), .integer(message.expires), .integer(message.account),
      .text(message.sender), .text(message.parameters))
    for recipient in message.recipients {
      try change(
        """
        INSERT OR REPLACE INTO queued_recipients (message, position, account, address, destination, parameters, state,
          attempts, next_attempt, result, priority) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
        """,
        .integer(message.id), .integer(recipient.position), .integer(message.account), .text(recipient.address),
        .text(recipient.destination), .text(recipient.parameters), .integer(Int64(recipient.state)),
        .integer(message.notBefore), .text(recipient.result), .integer(message.priority))
    }
    let due = Timestamp(microseconds: message.notBefore)
    for destination in Set(message.recipients.lazy.filter { $0.state == 0 }.map(\.destination)) {
      try note(destination: destination, due: due, whateverHappened: false)
    }
  }

  /// As a pack has it; its body is there already, or lost.
  func replay(_ message: RecordedQueuedMessage) throws(StoreError) {
    let size = try one("SELECT size FROM bodies WHERE id = ?", .integer(message.body)) { $0.integer(0) }
    try insertQueued(message, size: Int64(message.prefix.count) + (size ?? 0))
  }

  /// Something for the destination is due then.
  /// - Parameter whateverHappened: also where it could not be reached a moment ago.
  func note(destination: String, due: Timestamp, whateverHappened: Bool) throws(StoreError) {
    let (seconds, _) = Self.shortestPause.components
    try change(
      """
      INSERT INTO queued_destinations (name, next_attempt, last_attempt, failures, result) VALUES (?1, ?2, 0, 0, '')
      ON CONFLICT DO UPDATE SET next_attempt = min(next_attempt, CASE WHEN failures = 0 OR ?3 THEN ?2
        ELSE max(?2, last_attempt + ?4) END)
      """, .text(destination), .integer(due.microseconds), .integer(whateverHappened ? 1 : 0),
      .integer(seconds * 1_000_000))
  }

  /// When the first of its recipients is due; nil where none waits.
  func nextAttempt(for destination: String) throws(StoreError) -> Timestamp? {
    var first: Int64?
    var (account, priority): (Int64, Int64) = (-1, 0)
    while let found = try one(
      """
      SELECT account, priority, next_attempt FROM queued_recipients
      WHERE state = 0 AND destination = ? AND (account, priority) > (?, ?)
      ORDER BY account, priority, next_attempt LIMIT 1
      """, .text(destination), .integer(account), .integer(priority),
      row: { (account: $0.integer(0), priority: $0.integer(1), time: $0.integer(2)) })
    {
      (account, priority) = (found.account, found.priority)
      first = min(first ?? .max, found.time)
    }
    return first.map { Timestamp(microseconds: $0) }
  }

  func setQueueState(_ message: Int64, _ positions: [Int64], _ state: Int64, _ result: String) throws(StoreError) {
    for position in positions {
      try change(
        "UPDATE queued_recipients SET state = ?, result = ? WHERE message = ? AND position = ?", .integer(state),
        .text(result), .integer(message), .integer(position))
    }
  }

  /// Returns the large body that nobody has any more.
  func unqueue(_ message: Int64, _ positions: [Int64]) throws(StoreError) -> Int64? {
    for position in positions {
      try change(
        "DELETE FROM queued_recipients WHERE message = ? AND position = ?", .integer(message), .integer(position))
    }
    let remains = try one("SELECT 1 FROM queued_recipients WHERE message = ? LIMIT 1", .integer(message)) { _ in true }
    guard remains == nil else { return nil }
    let body = try one("SELECT body FROM queued_messages WHERE id = ?", .integer(message)) { $0.integer(0) }
    guard let body else { return nil }
    try change("DELETE FROM queued_messages WHERE id = ?", .integer(message))
    let gone = try removeBodyIfUnused(body)
    return gone?.isLarge == true ? body : nil
  }
}
