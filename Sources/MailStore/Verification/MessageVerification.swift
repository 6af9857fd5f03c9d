import MessageFormat
import SQLite

/// Bodies and messages, some hundreds at a time.
extension StoreVerifier {
  private static let batch: Int64 = 500

  mutating func checkBodies(_ start: VerificationStart) throws(StoreError) {
    let total = try reading { (database) throws(StoreError) in
      try database.one("SELECT count(*) FROM bodies") { $0.integer(0) }
    }
    var last: Int64 = 0
    while true {
      let (bodies, unreadable) = try reading { (database) throws(StoreError) in
        var bodies: [StoredBody] = []
        var unreadable: [Int64] = []
        try database.each(
          """
          SELECT id, pack, position, size, checksum, structure FROM bodies WHERE id > ? AND id < ? ORDER BY id LIMIT ?
          """, .integer(last), .integer(start.nextID), .integer(Self.batch)
        ) { row in
          bodies.append(StoredBody(row))
          if MessageStructure(encoded: row.blob(5)) == nil { unreadable.append(row.integer(0)) }
        }
        return (bodies, unreadable)
      }
      guard let end = bodies.last?.id else { break }
      last = end
      report.bodies += Int64(bodies.count)
      show("checking bodies", report.bodies, of: total, .messages)
      for id in unreadable { report.add(.structure, "body \(id)", "its structure cannot be read") }
      for body in bodies {
        knownBodies.insert(body.id)
        if !wholeBodies.contains(body.id) { try checkAgain(body) }
      }
    }
  }

  /// A body that was not found whole where it should be. It may have been moved or removed since.
  private mutating func checkAgain(_ body: StoredBody) throws(StoreError) {
    var looked: StoredBody?
    while true {
      let current = try reading { (database) throws(StoreError) in
        try database.one(
          "SELECT id, pack, position, size, checksum FROM bodies WHERE id = ?", .integer(body.id), row: StoredBody.init)
      }
      guard let current else {
        lostBodies[body.id] = nil
        return
      }
      // What was not found is lost only if it has not been moved meanwhile.
      if current == looked { return }
      looked = current
      do throws(BodyProblem) {
        try current.check(layout, files) { count in rate.spend(Int64(count)) }
        lostBodies[body.id] = nil
        return
      } catch {
        lostBodies[body.id] = error.text
      }
    }
  }

  mutating func checkMessages(_ start: VerificationStart) throws(StoreError) {
    let total = try reading { (database) throws(StoreError) in
      try database.one("SELECT count(*) FROM messages") { $0.integer(0) }
    }
    var last: Int64 = 0
    var done: Int64 = 0
    while true {
      var rows: [(id: Int64, body: Int64, entries: Int64)] = []
      try confirm { (database) throws(StoreError) in
        rows = []
        var findings: [StoreFinding] = []
        try database.each(
          """
          SELECT m.id, m.body, m.entries, m.orphaned_at IS NULL, m.size, length(m.prefix), b.size,
            EXISTS (SELECT 1 FROM accounts a WHERE a.id = m.account)
          FROM messages m LEFT JOIN bodies b ON b.id = m.body WHERE m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?
          """, .integer(last), .integer(start.nextID), .integer(Self.batch)
        ) { row in
          let (id, entries) = (row.integer(0), row.integer(2))
          rows.append((id, row.integer(1), entries))
          func find(_ text: String) {
            findings.append(StoreFinding(kind: .message, subject: "message \(id)", text: text))
          }
          if row.isNull(6) {
            find("its body \(row.integer(1)) is not there")
          } else if row.integer(4) != row.integer(5) + row.integer(6) {
            find("its size is \(row.integer(4)) and should be \(row.integer(5) + row.integer(6))")
          }
          if entries < 0 { find("it is in \(entries) mailboxes") }
          if (entries > 0) != (row.integer(3) != 0) {
            find(entries > 0 ? "it is in a mailbox and marked as deleted" : "it is in no mailbox and not marked so")
          }
          if entries > 0, row.integer(7) == 0 { find("its account is not there") }
        }
        return findings
      }
      guard let end = rows.last?.id else { return }
      last = end
      done += Int64(rows.count)
      show("checking messages", done, of: total, .messages)
      for row in rows {
        usedBodies.insert(row.body)
        if row.entries > 0 { countedMessages.insert(row.id) }
        if lostBodies[row.body] != nil { lostMessages[row.id] = row.body }
      }
    }
  }

  /// What belongs to nothing, known only now that all has been seen.
  mutating func checkLeftovers(_ start: VerificationStart) throws(StoreError) {
    for id in knownBodies.subtracting(usedBodies) where lostBodies[id] == nil {
      let isThere = try reading { (database) throws(StoreError) in
        try database.one("SELECT 1 FROM bodies WHERE id = ?", .integer(id)) { _ in true }
      }
      if isThere != nil { report.add(.bodyUnused, "body \(id)", "no message has it") }
    }
    for id in countedMessages.subtracting(seenMessages) {
      let isStillCounted = try reading { (database) throws(StoreError) in
        try database.one(
          """
          SELECT 1 FROM messages m WHERE id = ? AND entries > 0 AND NOT EXISTS (SELECT 1 FROM entries e
            JOIN mailboxes b ON b.id = e.mailbox WHERE b.account = m.account AND e.message = m.id)
          """, .integer(id)
        ) { _ in true }
      }
      if isStillCounted != nil {
        report.add(.message, "message \(id)", "it says it is in a mailbox, and is in none")
      }
    }
    for (message, body) in lostMessages.sorted(by: { $0.key < $1.key }) where !seenMessages.contains(message) {
      report.add(.deletedBodyLost, "message \(message)", lostBodies[body] ?? "its body is lost")
    }
  }
}
