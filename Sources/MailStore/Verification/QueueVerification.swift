import MessageFormat
import SQLite

/// The queue: that its bodies are there, and that everything that waits will have its turn.
extension StoreVerifier {
  private static let batch: Int64 = 500

  mutating func checkQueue() throws(StoreError) {
    try checkQueuedMessages()
    try checkQueuedRecipients()
  }

  private mutating func checkQueuedMessages() throws(StoreError) {
    var last: Int64 = 0
    while true {
      var rows: [(id: Int64, body: Int64)] = []
      try confirm { (database) throws(StoreError) in
        rows = []
        var findings: [StoreFinding] = []
        try database.each(
          """
          SELECT m.id, m.body, m.size, length(m.prefix), b.size, m.sender,
            EXISTS (SELECT 1 FROM queued_recipients r WHERE r.message = m.id)
          FROM queued_messages m LEFT JOIN bodies b ON b.id = m.body WHERE m.id > ? ORDER BY m.id LIMIT ?
          """, .integer(last), .integer(Self.batch)
        ) { row in
          rows.append((row.integer(0), row.integer(1)))
          func find(_ text: String) {
            findings.append(StoreFinding(kind: .queue, subject: "queued message \(row.integer(0))", text: text))
          }
          if row.isNull(4) {
            find("its body \(row.integer(1)) is not there")
          } else if row.integer(2) != row.integer(3) + row.integer(4) {
            find("its size is \(row.integer(2)) and should be \(row.integer(3) + row.integer(4))")
          }
          if row.integer(6) == 0 { find("it has no recipients") }
          if !row.text(5).isEmpty, EmailAddress(row.text(5)) == nil { find("its sender is not an address") }
        }
        return findings
      }
      guard let end = rows.last?.id else { return }
      last = end
      for row in rows {
        usedBodies.insert(row.body)
        if let problem = lostBodies[row.body] { report.add(.queue, "queued message \(row.id)", problem) }
      }
    }
  }

  private mutating func checkQueuedRecipients() throws(StoreError) {
    var last: (message: Int64, position: Int64) = (0, -1)
    while true {
      var end: (message: Int64, position: Int64)?
      try confirm { (database) throws(StoreError) in
        end = nil
        var findings: [StoreFinding] = []
        try database.each(
          """
          SELECT r.message, r.position, r.address, r.state, r.account, m.account, d.name IS NOT NULL
          FROM queued_recipients r LEFT JOIN queued_messages m ON m.id = r.message
          LEFT JOIN queued_destinations d ON d.name = r.destination
          WHERE (r.message, r.position) > (?, ?) ORDER BY r.message, r.position LIMIT ?
          """, .integer(last.message), .integer(last.position), .integer(Self.batch)
        ) { row in
          end = (row.integer(0), row.integer(1))
          func find(_ text: String) {
            findings.append(
              StoreFinding(
                kind: .queue, subject: "recipient \(row.integer(1)) of queued message \(row.integer(0))", text: text))
          }
          if row.isNull(5) {
            find("its message is not there")
          } else if row.integer(4) != row.integer(5) {
            find("it is of another account than its message")
          }
          if EmailAddress(row.text(2)) == nil { find("it is not an address") }
          switch QueuedRecipient.State(rawValue: row.integer(3)) {
          case .waiting: if row.integer(6) == 0 { find("it waits, and its turn will never come") }
          case .held, .reporting: break
          case nil: find("its state is \(row.integer(3))")
          }
        }
        return findings
      }
      guard let end else { return }
      last = end
    }
  }
}
