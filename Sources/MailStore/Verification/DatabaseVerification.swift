import MessageFormat
import SQLite

/// SQLite's own view of its file, and of the relations between small tables.
extension StoreVerifier {
  /// One table at a time, so that no state of the database is held for long.
  private static let tables: [(String, quick: StaticString, thorough: StaticString)] = [
    ("state", "PRAGMA quick_check('state')", "PRAGMA integrity_check('state')"),
    ("domains", "PRAGMA quick_check('domains')", "PRAGMA integrity_check('domains')"),
    ("accounts", "PRAGMA quick_check('accounts')", "PRAGMA integrity_check('accounts')"),
    ("app_passwords", "PRAGMA quick_check('app_passwords')", "PRAGMA integrity_check('app_passwords')"),
    ("aliases", "PRAGMA quick_check('aliases')", "PRAGMA integrity_check('aliases')"),
    ("mailboxes", "PRAGMA quick_check('mailboxes')", "PRAGMA integrity_check('mailboxes')"),
    ("subscriptions", "PRAGMA quick_check('subscriptions')", "PRAGMA integrity_check('subscriptions')"),
    ("sealed_packs", "PRAGMA quick_check('sealed_packs')", "PRAGMA integrity_check('sealed_packs')"),
    ("bodies", "PRAGMA quick_check('bodies')", "PRAGMA integrity_check('bodies')"),
    ("messages", "PRAGMA quick_check('messages')", "PRAGMA integrity_check('messages')"),
    ("entries", "PRAGMA quick_check('entries')", "PRAGMA integrity_check('entries')"),
    ("vanished", "PRAGMA quick_check('vanished')", "PRAGMA integrity_check('vanished')"),
    ("deleted_entries", "PRAGMA quick_check('deleted_entries')", "PRAGMA integrity_check('deleted_entries')"),
    ("imports", "PRAGMA quick_check('imports')", "PRAGMA integrity_check('imports')"),
    ("imported", "PRAGMA quick_check('imported')", "PRAGMA integrity_check('imported')"),
    ("threads", "PRAGMA quick_check('threads')", "PRAGMA integrity_check('threads')"),
  ]

  mutating func checkDatabase() throws(StoreError) {
    for (number, (name, quick, thorough)) in Self.tables.enumerated() {
      show("checking store.db", Int64(number), of: Int64(Self.tables.count), .steps)
      let sql = options.isThorough ? thorough : quick
      try confirm { (database) throws(StoreError) in
        var findings: [StoreFinding] = []
        try database.each(sql) { row in
          if row.text(0) != "ok" {
            findings.append(StoreFinding(kind: .database, subject: "table \(name)", text: row.text(0)))
          }
        }
        return findings
      }
    }
    try confirm { (database) throws(StoreError) in
      var findings: [StoreFinding] = []
      try database.each("PRAGMA foreign_key_check") { row in
        findings.append(
          StoreFinding(
            kind: .database, subject: "table \(row.text(0))",
            text: "a row refers to one of \(row.text(2)) that is not there"))
      }
      return findings
    }
  }

  mutating func checkDirectory(_ start: VerificationStart) throws(StoreError) {
    try confirm { (database) throws(StoreError) in
      let directory = try Directory(reading: database)
      var findings: [StoreFinding] = []
      let counts = try database.one(
        "SELECT (SELECT count(*) FROM domains), (SELECT count(*) FROM accounts), (SELECT count(*) FROM aliases)"
      ) { [$0.integer(0), $0.integer(1), $0.integer(2)] }
      if counts != [directory.domains.count, directory.accounts.count, directory.aliases.count].map({ Int64($0) }) {
        findings.append(
          StoreFinding(
            kind: .account, subject: "accounts and aliases", text: "some have an address that cannot be read"))
      }
      for alias in directory.aliases {
        for target in alias.targets where directory.isLocal(target.domain) {
          guard case .unknown = directory.answer(for: target) else { continue }
          findings.append(
            StoreFinding(
              kind: .alias, subject: alias.pattern.key, text: "leads to \(target), and there is no such address"))
        }
      }
      let greatest = try database.one(
        """
        SELECT max((SELECT ifnull(max(id), 0) FROM accounts), (SELECT ifnull(max(id), 0) FROM mailboxes),
          (SELECT ifnull(max(id), 0) FROM messages), (SELECT ifnull(max(id), 0) FROM bodies),
          (SELECT ifnull(max(id), 0) FROM imports))
        """
      ) { $0.integer(0) }
      let next = try StoreState(database).nextID
      if let greatest, greatest >= next {
        findings.append(
          StoreFinding(
            kind: .counterOfIDs, subject: "state", text: "the next ID is \(next), and \(greatest) is in use"))
      }
      return findings
    }
  }
}
