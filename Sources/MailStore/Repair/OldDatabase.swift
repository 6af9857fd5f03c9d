import MessageFormat
import SQLite

/// The store.db that is to be replaced, as far as it can still be trusted.
enum OldDatabase {
  case missing
  /// With what is the matter with it.
  case unusable(String)
  /// Whole, and of another version than this one's.
  case foreign(schema: Int)
  case sound(SoundDatabase)

  init(_ layout: StoreLayout, _ files: FileAccess) {
    guard files.exists(layout.database) else {
      self = .missing
      return
    }
    do throws(StoreError) {
      self = .sound(try SoundDatabase(layout.database, files))
    } catch {
      switch error {
      case .newerSchema(let version): self = .foreign(schema: version)
      case .corrupt(let text), .inputOutput(let text): self = .unusable(text)
      default: self = .unusable("\(error)")
      }
    }
  }

  var sound: SoundDatabase? { if case .sound(let database) = self { database } else { nil } }
  var isThere: Bool { if case .missing = self { false } else { true } }
}

/// A store.db whose pages are whole and which has the tables of today.
struct SoundDatabase {
  let database: Database
  /// Where its committed records end.
  let end: PackPosition
  /// Committed ends of all packs.
  let ends: [PackNumber: Int64]
  let stamp: UInt64
  let threadKey: UInt64
  let nextID: Int64

  /// Throws `newerSchema` for a sound one of any other version.
  init(_ path: String, _ files: FileAccess) throws(StoreError) {
    let version: Int
    do throws(SQLiteError) {
      database = try files.openDatabase(path, .reading)
      version = try database.schemaVersion()
    } catch {
      throw StoreError(error)
    }
    guard version > 0 else { throw .corrupt("it is empty") }
    var faults: [String] = []
    try database.each("PRAGMA quick_check(10)") { faults.append($0.text(0)) }
    guard faults == ["ok"] else { throw .corrupt(faults.joined(separator: "; ")) }
    guard version == Schema.migrations.count else { throw .newerSchema(version) }
    let state = try StoreState(database)
    end = PackPosition(segment: state.pack.segment, offset: state.pack.end)
    stamp = state.stamp
    threadKey = state.threadKey
    nextID = state.nextID
    ends = try database.committedPacks()
  }
}

extension HistoryReplay {
  /// Takes over all that a sound store.db says.
  func load(_ old: SoundDatabase) throws(StoreError) {
    meet(id: old.nextID - 1)
    try loadDirectory(old.database)
    try copy(
      from: old.database, "SELECT id, pack, position, size, checksum, structure FROM bodies",
      into: "INSERT INTO bodies (id, pack, position, size, checksum, structure) VALUES (?, ?, ?, ?, ?, ?)")
    try copy(
      from: old.database,
      """
      SELECT id, account, body, thread, size, internal_date, internal_offset, prefix, entries, orphaned_at FROM messages
      """,
      into: """
        INSERT INTO messages (id, account, body, thread, size, internal_date, internal_offset, prefix, entries,
          orphaned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database, "SELECT mailbox, uid, message, flags, keywords, modseq, saved FROM entries",
      into: """
        INSERT INTO entries (mailbox, uid, message, flags, keywords, modseq, saved) VALUES (?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database, "SELECT mailbox, modseq, first, last FROM vanished",
      into: "INSERT INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)")
    try copy(
      from: old.database,
      "SELECT account, deleted_at, mailbox, uid, name, message, flags, keywords FROM deleted_entries",
      into: """
        INSERT INTO deleted_entries (account, deleted_at, mailbox, uid, name, message, flags, keywords)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database, "SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports",
      into: """
        INSERT INTO imports (id, account, origin, mailbox, name, uid_validity, uid_next) VALUES (?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database, "SELECT import, key, mailbox, uid, flags, keywords FROM imported",
      into: "INSERT INTO imported (import, key, mailbox, uid, flags, keywords) VALUES (?, ?, ?, ?, ?, ?)")
    try copy(from: old.database, "SELECT body FROM purged_large", into: "INSERT INTO purged_large (body) VALUES (?)")
    try copy(
      from: old.database,
      """
      SELECT id, body, size, prefix, created, warns, expires, account, sender, parameters FROM queued_messages
      """,
      into: """
        INSERT INTO queued_messages (id, body, size, prefix, created, warns, expires, account, sender, parameters)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database,
      """
      SELECT message, position, account, address, destination, parameters, state, attempts, next_attempt, result,
        priority
      FROM queued_recipients
      """,
      into: """
        INSERT INTO queued_recipients (message, position, account, address, destination, parameters, state, attempts,
          next_attempt, result, priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    try copy(
      from: old.database, "SELECT account, hash, thread FROM threads",
      into: "INSERT INTO threads (account, hash, thread) VALUES (?, ?, ?)")
  }

  private func loadDirectory(_ old: Database) throws(StoreError) {
    let known = try Directory(reading: old)
    for domain in known.domains { directory.domains.insert(domain.text) }
    for key in try old.signingKeys() {
      directory.signingKeys[key.domain.text, default: [:]][key.selector] = RecordedSigningKey(key)
    }
    for alias in known.aliases { directory.aliases[alias.pattern.key] = RecordedAlias(alias) }
    for account in known.accounts {
      let validity = try old.one(
        "SELECT last_uid_validity FROM accounts WHERE id = ?", .integer(account.id.rawValue)
      ) { UInt32(truncatingIfNeeded: $0.integer(0)) }
      directory.set(RecordedAccount(account, lastUIDValidity: validity ?? 0))
      directory.accounts[account.id.rawValue]?.passwords = account.appPasswords.map { RecordedPassword($0) }
      directory.accounts[account.id.rawValue]?.rules = RecordedSendingRules(account)
      directory.subscriptions[account.id.rawValue] = Set(try old.subscriptions(of: account.id).map(\.text))
      for mailbox in try old.mailboxes(of: account.id) {
        directory.set(RecordedMailbox(mailbox))
        firstRecent[mailbox.id.rawValue] = Int64(mailbox.firstRecent.rawValue)
      }
    }
  }

  /// What the accounts that are there have sent, which only a database knows.
  func copySentMail(from old: SoundDatabase) throws(StoreError) {
    try copy(
      from: old.database, "SELECT account, span, messages, recipients, new_recipients FROM sent_counts",
      into: """
        INSERT INTO sent_counts (account, span, messages, recipients, new_recipients)
        SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?1)
        """)
    try copy(
      from: old.database, "SELECT account, recipient, day FROM sent_recipients",
      into: """
        INSERT INTO sent_recipients (account, recipient, day)
        SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?1)
        """)
  }

  private func copy(
    from old: Database, _ select: StaticString, into insert: StaticString
  ) throws(StoreError) {
    var failure: SQLiteError?
    do throws(SQLiteError) {
      try old.forEach(select) { row in
        do throws(SQLiteError) {
          try database.run(insert, (0..<row.columnCount).map { row.value($0) })
          return true
        } catch {
          failure = error
          return false
        }
      }
      if let failure { throw failure }
    } catch {
      throw StoreError(error)
    }
  }

  /// After all is read: of the bodies that the base names, those are lost whose record and octets are both gone.
  /// Returns the ones that are whole and whose record is not, to be written anew.
  func checkBodies() throws(StoreError) -> [Int64] {
    var suspects: [StoredBody] = []
    try database.each("SELECT id, pack, position, size, checksum FROM bodies") { [whole] row in
      if !whole.contains(row.integer(0)) { suspects.append(StoredBody(row)) }
    }
    var readable: [Int64] = []
    for body in suspects {
      do throws(BodyProblem) {
        try body.check(layout, files) { _ in }
        readable.append(body.id)
        lost[body.id] = nil
      } catch {
        lost[body.id] = error.text
        try database.change("DELETE FROM bodies WHERE id = ?", .integer(body.id))
      }
    }
    return readable
  }
}
