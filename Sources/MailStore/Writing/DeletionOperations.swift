import MessageFormat
import SQLite

/// Deleted entries: kept, restored, and gone for good after their time.
extension WriteContext {
  /// Never before an earlier deletion of the account, whatever the clock does: so a message in no mailbox any more is
  /// not older than any of its deleted entries, and none of them outlives it.
  func deletionTime(of account: AccountID) throws(StoreError) -> Int64 {
    let last = try database.one(
      "SELECT deleted_at FROM deleted_entries WHERE account = ? ORDER BY deleted_at DESC LIMIT 1",
      .integer(account.rawValue)
    ) { $0.integer(0) }
    return max(clock.now().microseconds, last ?? .min)
  }

  func keepDeleted(_ entry: Entry, of mailbox: Mailbox, at time: Int64) throws(StoreError) {
    try database.change(
      """
      INSERT INTO deleted_entries (account, deleted_at, mailbox, uid, name, message, flags, keywords)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      """, .integer(mailbox.account.rawValue), .integer(time), .integer(mailbox.id.rawValue),
      .integer(Int64(entry.uid.rawValue)), .text(mailbox.name.text), .integer(entry.email.rawValue),
      .integer(Int64(entry.flags.system.rawValue)), .text(Keyword.encode(entry.flags.keywords)))
  }

  // MARK: Restoring

  /// Entries anew for those that are still among the deleted, each in the mailbox it was in, under whatever name that
  /// has now; where it is gone, in one of its name. Usage counts, and nothing is refused for it.
  func restore(
    _ keys: [RecordedDeletionKey], of account: AccountID, into name: MailboxName?
  ) throws(StoreError) -> [RestoredMessage] {
    _ = try self.account(account)
    var targets: [(mailbox: MailboxID, entries: [Entry], origins: [RecordedDeletionKey])] = []
    for key in keys {
      let found = try database.one(
        """
        SELECT d.name, d.message, d.flags, d.keywords, m.size FROM deleted_entries d
        JOIN messages m ON m.id = d.message
        WHERE d.account = ? AND d.deleted_at = ? AND d.mailbox = ? AND d.uid = ?
        """, .integer(account.rawValue), .integer(key.time), .integer(key.mailbox), .integer(Int64(key.uid))
      ) { row in
        (
          name: MailboxName(stored: row.text(0)),
          entry: Entry(
            uid: UID(rawValue: key.uid), email: EmailID(rawValue: row.integer(1)),
            flags: MessageFlags(
              SystemFlags(rawValue: UInt8(truncatingIfNeeded: row.integer(2))).subtracting(.deleted),
              keywords: Keyword.decode(row.optionalText(3))),
            size: row.integer(4))
        )
      }
      // Restored by somebody else, or its time is over.
      guard let found else { continue }
      let target = try mailboxToRestore(into: name ?? found.name, from: name == nil ? key.mailbox : nil, of: account)
      if let position = targets.firstIndex(where: { $0.mailbox == target }) {
        targets[position].entries.append(found.entry)
        targets[position].origins.append(key)
      } else {
        targets.append((target, [found.entry], [key]))
      }
    }
    var restored: [RestoredMessage] = []
    for target in targets {
      var mailbox = try mailbox(target.mailbox)
      let uids = try insert(target.entries, into: &mailbox)
      for (entry, key) in zip(target.entries, target.origins) {
        try database.change(
          "UPDATE messages SET entries = entries + 1, orphaned_at = NULL WHERE id = ?", .integer(entry.email.rawValue))
        try database.forgetDeleted(key, of: account.rawValue)
      }
      record(.restored(account: account.rawValue, target.origins))
      restored += zip(uids, target.origins).map { uid, key in
        RestoredMessage(
          origin: EntryID(key), id: EntryID(mailbox: mailbox.id, uid: uid), mailbox: mailbox.name)
      }
    }
    return restored
  }

  private func mailboxToRestore(
    into name: MailboxName, from origin: Int64?, of account: AccountID
  ) throws(StoreError) -> MailboxID {
    if let origin, let mailbox = try? mailbox(MailboxID(rawValue: origin)), mailbox.account == account,
      mailbox.isSelectable
    {
      return mailbox.id
    }
    if let mailbox = try mailbox(named: name, of: account), mailbox.isSelectable { return mailbox.id }
    let made = try ensureMailbox(name, of: account)
    note(.mailboxList, of: account)
    return made.id
  }

  // MARK: Purging

  /// A bounded piece of what is over: deleted entries up to `time` first, then the messages that are in no mailbox any
  /// more since then.
  func purge(upTo time: Timestamp, of account: AccountID) throws(StoreError) -> PurgedPiece {
    let (time, account) = (time.microseconds, account.rawValue)
    var last: RecordedDeletionKey?
    var count = 0
    try database.each(
      """
      SELECT deleted_at, mailbox, uid FROM deleted_entries WHERE account = ? AND deleted_at <= ?
      ORDER BY deleted_at, mailbox, uid LIMIT ?
      """, .integer(account), .integer(time), .integer(PurgedPiece.limit)
    ) { row in
      last = RecordedDeletionKey(row)
      count += 1
    }
    if let last {
      try database.purgeDeleted(upTo: last, of: account)
      record(.deletionsPurged(account: account, upTo: last))
      return PurgedPiece(entries: count)
    }
    var messages: [Int64] = []
    try database.each(
      "SELECT id FROM messages WHERE account = ? AND orphaned_at <= ? ORDER BY orphaned_at, id LIMIT ?",
      .integer(account), .integer(time), .integer(PurgedPiece.limit)
    ) { messages.append($0.integer(0)) }
    guard !messages.isEmpty else { return PurgedPiece(isLast: true) }
    let bodies = try database.purge(messages)
    record(.messagesPurged(messages))
    return PurgedPiece(messages: messages.count, octets: bodies.octets, unused: bodies.large.map { UnusedBody(id: $0) })
  }
}

/// What one step of a purge has taken away.
package struct PurgedPiece: Sendable {
  /// Rows that one step touches, so that deliveries do not wait for it.
  static let limit: Int64 = 500

  package var entries = 0
  package var messages = 0
  /// Of bodies that no message has any more.
  package var octets: Int64 = 0
  /// What nobody needs once this is committed.
  package var unused: [UnusedBody] = []
  /// There was nothing left to do.
  package var isLast = false
}

extension Database {
  func forgetDeleted(_ key: RecordedDeletionKey, of account: Int64) throws(StoreError) {
    try change(
      "DELETE FROM deleted_entries WHERE account = ? AND deleted_at = ? AND mailbox = ? AND uid = ?",
      .integer(account), .integer(key.time), .integer(key.mailbox), .integer(Int64(key.uid)))
  }

  func purgeDeleted(upTo key: RecordedDeletionKey, of account: Int64) throws(StoreError) {
    try change(
      """
      DELETE FROM deleted_entries WHERE account = ? AND deleted_at <= ?
        AND (deleted_at, mailbox, uid) <= (?, ?, ?)
      """, .integer(account), .integer(key.time), .integer(key.time), .integer(key.mailbox),
      .integer(Int64(key.uid)))
  }

  /// Messages, and the bodies that no other message has.
  func purge(_ messages: [Int64]) throws(StoreError) -> (octets: Int64, large: [Int64]) {
    var octets: Int64 = 0
    var large: [Int64] = []
    for message in messages {
      let body = try one("SELECT body FROM messages WHERE id = ?", .integer(message)) { $0.integer(0) }
      guard let body else { continue }
      try change("DELETE FROM messages WHERE id = ?", .integer(message))
      guard let gone = try removeBodyIfUnused(body) else { continue }
      octets += gone.size
      if gone.isLarge { large.append(body) }
    }
    return (octets, large)
  }

  /// Returns what it was, or nil where a message still has it.
  func removeBodyIfUnused(_ body: Int64) throws(StoreError) -> (size: Int64, isLarge: Bool)? {
    // A body's messages get their IDs with it and before the next body does, so they stand between the two.
    let isUsed = try one(
      """
      SELECT 1 FROM messages WHERE id > ?1 AND body = ?1
        AND id < ifnull((SELECT min(id) FROM bodies WHERE id > ?1), 9223372036854775807)
      UNION ALL SELECT 1 FROM queued_messages WHERE body = ?1 LIMIT 1
      """, .integer(body)
    ) { _ in true }
    guard isUsed == nil else { return nil }
    let gone = try one("SELECT size, pack FROM bodies WHERE id = ?", .integer(body)) { row in
      (size: row.integer(0), pack: row.optionalInteger(1).map(PackNumber.init(rawValue:)))
    }
    guard let gone else { return nil }
    if let pack = gone.pack {
      try addDeadOctets(gone.size, of: pack)
    } else {
      try change("INSERT OR IGNORE INTO purged_large VALUES (?)", .integer(body))
    }
    try change("DELETE FROM bodies WHERE id = ?", .integer(body))
    return (gone.size, isLarge: gone.pack == nil)
  }
}
