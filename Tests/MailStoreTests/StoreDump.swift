import Foundation
import SQLite
import Testing

@testable import MailStore

/// Everything in a store that a client or an administrator can tell, row by row.
struct StoreDump: Equatable {
  var tables: [String: [String]] = [:]

  /// Of a store that is not open.
  init(_ path: String) throws {
    let database = try Database(path: path + "/store.db", access: .reading)
    let queries: [(String, StaticString)] = [
      ("domains", "SELECT * FROM domains ORDER BY 1"),
      ("accounts", "SELECT * FROM accounts ORDER BY id"),
      ("app_passwords", "SELECT * FROM app_passwords ORDER BY account, position"),
      ("sending_rules", "SELECT * FROM sending_rules ORDER BY account"),
      ("signing_keys", "SELECT * FROM signing_keys ORDER BY domain, selector"),
      ("aliases", "SELECT * FROM aliases ORDER BY pattern"),
      ("subscriptions", "SELECT * FROM subscriptions ORDER BY account, name"),
      // All but first_recent, which only sessions of before know.
      (
        "mailboxes",
        """
        SELECT id, account, name, special_use, selectable, uid_validity, uid_next, modseq, messages, unseen, deleted,
          size FROM mailboxes ORDER BY id
        """
      ),
      ("bodies", "SELECT id, size, checksum, structure FROM bodies ORDER BY id"),
      ("messages", "SELECT * FROM messages ORDER BY id"),
      ("entries", "SELECT * FROM entries ORDER BY mailbox, uid"),
      ("deleted_entries", "SELECT * FROM deleted_entries ORDER BY account, deleted_at, mailbox, uid"),
      // Without attempts and warnings: after a repair all is tried anew.
      (
        "queued_messages",
        """
        SELECT id, body, size, prefix, created, expires, account, sender, parameters FROM queued_messages ORDER BY id
        """
      ),
      (
        "queued_recipients",
        """
        SELECT message, position, account, address, destination, parameters, state FROM queued_recipients
        ORDER BY message, position
        """
      ),
      ("imports", "SELECT * FROM imports ORDER BY id"),
      ("imported", "SELECT * FROM imported ORDER BY import, key"),
      ("vanished", "SELECT * FROM vanished ORDER BY mailbox, modseq, first"),
      // The hashes have a key that is drawn anew.
      ("threads", "SELECT account, thread, count(*) FROM threads GROUP BY account, thread ORDER BY account, thread"),
    ]
    var known: Set<String> = []
    try database.forEach("SELECT name FROM sqlite_master WHERE type = 'table'") { row in
      known.insert(row.text(0))
      return true
    }
    for (name, sql) in queries where known.contains(name) {
      var rows: [String] = []
      try database.forEach(sql) { row in
        rows.append((0..<row.columnCount).map { "\(row.value($0))" }.joined(separator: " "))
        return true
      }
      tables[name] = rows
    }
  }
}

func expectSame(
  _ dump: StoreDump, _ expected: StoreDump, sourceLocation: SourceLocation = #_sourceLocation
) {
  for (name, rows) in expected.tables.sorted(by: { $0.key < $1.key }) {
    let others = dump.tables[name] ?? []
    guard rows != others else { continue }
    let missing = rows.filter { !others.contains($0) }.prefix(5).joined(separator: "\n")
    let added = others.filter { !rows.contains($0) }.prefix(5).joined(separator: "\n")
    Issue.record("\(name): missing\n\(missing)\nnot expected\n\(added)", sourceLocation: sourceLocation)
  }
}
