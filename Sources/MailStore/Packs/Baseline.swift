import MessageFormat
import SQLite

/// All that `store.db` says of accounts, mailboxes and entries, as change records: with one of these complete in the
/// packs, no change record before it is needed.
///
/// Written where the packs do not tell all by themselves: for a store of a version that kept no change records, and
/// after a repair that had to fill a gap.
struct Baseline {
  let database: Database

  /// Entries of one record.
  private static let entryLimit = 5_000

  /// - Parameter start: where the first of the records will stand.
  func write(from start: PackPosition, _ append: ([RecordedChange]) throws(StoreError) -> Void) throws(StoreError) {
    let directory = try Directory(reading: database)
    var validities: [Int64: UInt32] = [:]
    try database.each("SELECT id, last_uid_validity FROM accounts") {
      validities[$0.integer(0)] = UInt32(truncatingIfNeeded: $0.integer(1))
    }
    var changes: [RecordedChange] = [
      .directory(
        domains: directory.domains.map(\.text), accounts: directory.accounts.map(\.id.rawValue),
        aliases: directory.aliases.map(\.pattern.key))
    ]
    changes += directory.aliases.map { .alias(RecordedAlias($0)) }
    changes += try database.signingKeys().map { .signingKey(RecordedSigningKey($0)) }
    try append(changes)
    for account in directory.accounts {
      let id = account.id.rawValue
      let mailboxes = try database.mailboxes(of: account.id)
      let subscriptions = try database.subscriptions(of: account.id).map(\.text)
      var changes: [RecordedChange] = [
        .account(RecordedAccount(account, lastUIDValidity: validities[id] ?? 0)),
        .mailboxes(account: id, mailboxes.map(\.id.rawValue), subscriptions: subscriptions),
      ]
      if !account.appPasswords.isEmpty {
        changes.append(.appPasswords(account: id, account.appPasswords.map { RecordedPassword($0) }))
      }
      changes.append(.sendingRules(RecordedSendingRules(account)))
      changes += mailboxes.map { .mailbox(RecordedMailbox($0)) }
      try append(changes)
      for mailbox in mailboxes { try writeEntries(of: mailbox.id.rawValue, append) }
    }
    try writeDeletions(append)
    for account in directory.accounts { try writeDeletedEntries(of: account.id.rawValue, append) }
    try writeQueue(append)
    try writeImports(append)
    try append([.baselineEnd(start)])
  }

  private func writeQueue(_ append: ([RecordedChange]) throws(StoreError) -> Void) throws(StoreError) {
    var last: Int64 = 0
    while let message = try database.one(
      """
      SELECT id, body, prefix, created, expires, warns, account, sender, parameters,
        (SELECT min(next_attempt) FROM queued_recipients r WHERE r.message = m.id),
        (SELECT max(priority) FROM queued_recipients r WHERE r.message = m.id)
      FROM queued_messages m WHERE id > ? ORDER BY id LIMIT 1
      """, .integer(last), row: RecordedQueuedMessage.init)
    {
      var message = message
      last = message.id
      try database.each(
        """
        SELECT position, address, destination, parameters, state, result FROM queued_recipients
        WHERE message = ? ORDER BY position
        """, .integer(last)
      ) { row in
        message.recipients.append(
          RecordedQueuedMessage.Recipient(
            position: row.integer(0), address: row.text(1), destination: row.text(2), parameters: row.text(3),
            state: UInt8(truncatingIfNeeded: row.integer(4)), result: row.text(5)))
      }
      try append([.queued(message)])
    }
  }

  private func writeDeletions(_ append: ([RecordedChange]) throws(StoreError) -> Void) throws(StoreError) {
    var last: Int64 = 0
    while true {
      var deletions: [RecordedDeletion] = []
      try database.each(
        "SELECT id, orphaned_at FROM messages WHERE id > ? AND orphaned_at IS NOT NULL ORDER BY id LIMIT ?",
        .integer(last), .integer(Int64(Self.entryLimit))
      ) { deletions.append(RecordedDeletion(message: $0.integer(0), time: $0.integer(1))) }
      guard let end = deletions.last?.message else { return }
      try append([.deleted(deletions)])
      last = end
    }
  }

  private func writeDeletedEntries(
    of account: Int64, _ append: ([RecordedChange]) throws(StoreError) -> Void
  ) throws(StoreError) {
    var last = RecordedDeletionKey(time: .min, mailbox: 0, uid: 0)
    while true {
      var entries: [RecordedDeletedEntry] = []
      try database.each(
        """
        SELECT deleted_at, mailbox, uid, name, message, flags, keywords FROM deleted_entries
        WHERE account = ? AND (deleted_at, mailbox, uid) > (?, ?, ?) ORDER BY deleted_at, mailbox, uid LIMIT ?
        """, .integer(account), .integer(last.time), .integer(last.mailbox), .integer(Int64(last.uid)),
        .integer(Int64(Self.entryLimit))
      ) { entries.append(RecordedDeletedEntry($0)) }
      guard let end = entries.last?.key else { return }
      try append([.deletedEntries(account: account, entries)])
      last = end
    }
  }

  private func writeImports(_ append: ([RecordedChange]) throws(StoreError) -> Void) throws(StoreError) {
    var imports: [RecordedImport] = []
    try database.each(
      "SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports ORDER BY id"
    ) { imports.append(RecordedImport($0)) }
    for origin in imports {
      try append([.importOrigin(origin)])
      var last: [UInt8] = []
      while true {
        var messages: [RecordedImportedMessage] = []
        try database.each(
          """
          SELECT key, mailbox, uid, flags, keywords FROM imported WHERE import = ? AND key > ? ORDER BY key LIMIT ?
          """, .integer(origin.id), .blob(last), .integer(Int64(Self.entryLimit))
        ) { messages.append(RecordedImportedMessage($0)) }
        guard let end = messages.last?.key else { break }
        try append([.imported(import: origin.id, messages)])
        last = end
      }
    }
  }

  private func writeEntries(
    of mailbox: Int64, _ append: ([RecordedChange]) throws(StoreError) -> Void
  ) throws(StoreError) {
    var first: UInt32 = 1
    while true {
      var entries: [RecordedEntry] = []
      try database.each(
        """
        SELECT uid, message, flags, keywords, modseq, saved FROM entries WHERE mailbox = ? AND uid >= ?
        ORDER BY uid LIMIT ?
        """, .integer(mailbox), .integer(Int64(first)), .integer(Int64(Self.entryLimit))
      ) { entries.append(RecordedEntry($0)) }
      let isLast = entries.count < Self.entryLimit
      let last = isLast ? .max : entries[entries.count - 1].uid
      try append([.exactEntries(mailbox: mailbox, first...last, entries)])
      guard !isLast, last < .max else { break }
      first = last + 1
    }
    var modSequence: Int64 = 0
    var uid: Int64 = 0
    while true {
      var runs: [RecordedRun] = []
      try database.each(
        """
        SELECT modseq, first, last FROM vanished WHERE mailbox = ? AND (modseq, first) > (?, ?)
        ORDER BY modseq, first LIMIT ?
        """, .integer(mailbox), .integer(modSequence), .integer(uid), .integer(Int64(Self.entryLimit))
      ) { runs.append(RecordedRun($0)) }
      guard let last = runs.last else { return }
      try append([.vanished(mailbox: mailbox, runs)])
      (modSequence, uid) = (last.modSequence, Int64(last.uids.lowerBound))
    }
  }
}

extension RecordedEntry {
  /// Columns: uid, message, flags, keywords, modseq, saved.
  init(_ row: Row) {
    self.init(
      uid: UInt32(truncatingIfNeeded: row.integer(0)), message: row.integer(1),
      flags: UInt8(truncatingIfNeeded: row.integer(2)), keywords: row.text(3), modSequence: row.integer(4),
      saved: row.integer(5))
  }
}

extension RecordedDeletionKey {
  /// Columns: deleted_at, mailbox, uid.
  init(_ row: Row) {
    self.init(time: row.integer(0), mailbox: row.integer(1), uid: UInt32(truncatingIfNeeded: row.integer(2)))
  }
}

extension RecordedDeletedEntry {
  /// Columns: deleted_at, mailbox, uid, name, message, flags, keywords.
  fileprivate init(_ row: Row) {
    self.init(
      key: RecordedDeletionKey(row), name: row.text(3), message: row.integer(4),
      flags: UInt8(truncatingIfNeeded: row.integer(5)), keywords: row.text(6))
  }
}

extension RecordedQueuedMessage {
  /// Columns: id, body, prefix, created, expires, warns, account, sender, parameters, first attempt, priority.
  /// Without recipients.
  fileprivate init(_ row: Row) {
    self.init(
      id: row.integer(0), body: row.integer(1), prefix: row.blob(2), created: row.integer(3), expires: row.integer(4),
      warns: row.optionalInteger(5), notBefore: row.integer(9), account: row.integer(6), sender: row.text(7),
      parameters: row.text(8), priority: row.integer(10), recipients: [])
  }
}

extension RecordedImport {
  /// Columns: id, account, origin, mailbox, name, uid_validity, uid_next.
  init(_ row: Row) {
    self.init(
      id: row.integer(0), account: row.integer(1), origin: row.text(2), mailbox: row.integer(3), name: row.text(4),
      uidValidity: row.optionalInteger(5).map { UInt32(truncatingIfNeeded: $0) },
      uidNext: UInt32(truncatingIfNeeded: row.integer(6)))
  }
}

extension RecordedImportedMessage {
  /// Columns: key, mailbox, uid, flags, keywords.
  init(_ row: Row) {
    self.init(
      key: row.withBlob(0) { Array($0) }, mailbox: row.integer(1), uid: UInt32(truncatingIfNeeded: row.integer(2)),
      flags: UInt8(truncatingIfNeeded: row.integer(3)), keywords: row.text(4))
  }
}

extension RecordedRun {
  /// Columns: modseq, first, last.
  init(_ row: Row) {
    let first = UInt32(truncatingIfNeeded: row.integer(1))
    self.init(modSequence: row.integer(0), uids: first...max(first, UInt32(truncatingIfNeeded: row.integer(2))))
  }
}

extension WriteContext {
  /// Before the first group of a store whose packs do not tell all: tells them all there is.
  func beginHistory() throws(StoreError) {
    // Records without a stamp and those with one do not share a pack.
    if packs.committedEnd > 0 { packs.seal() }
    try beginGroup(mayPackCommit: false)
    do throws(StoreError) {
      let start = PackPosition(segment: packs.segment, offset: packs.newEnd)
      // A new store has nothing to tell.
      if !directory.domains.isEmpty || writtenPack.segment > 0 {
        try Baseline(database: database).write(from: start) { (changes) throws(StoreError) in try append(changes) }
      }
      try database.change("UPDATE state SET value = 1 WHERE name = 'packs_tell_all'")
      _ = try endRecords()
      try writeRows()
      do throws(FileError) { try packs.flush() } catch { throw error.storeError }
      do throws(SQLiteError) { try database.commit() } catch { throw StoreError(error) }
    } catch {
      database.rollBack()
      throw error
    }
    commitGroup()
    endGroup()
  }
}
