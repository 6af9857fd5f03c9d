package import MessageFormat
package import SQLite

/// Lists for an administrator, the newest first, and what a restoration is to touch.
extension Database {
  package func deletedMessages(
    of account: AccountID, in name: MailboxName?, since: Timestamp?, limit: Int
  ) throws(StoreError) -> [ListedMessage] {
    var result: [ListedMessage] = []
    try each(
      """
      SELECT d.deleted_at, d.mailbox, d.uid, d.name, d.flags, d.keywords, m.size, m.internal_date, m.internal_offset,
        b.structure
      FROM deleted_entries d JOIN messages m ON m.id = d.message JOIN bodies b ON b.id = m.body
      WHERE d.account = ?1 AND d.deleted_at >= ?2
        AND (?3 IS NULL OR d.name = ?3 OR d.mailbox = (SELECT id FROM mailboxes WHERE account = ?1 AND name = ?3))
      ORDER BY d.deleted_at DESC, d.mailbox DESC, d.uid DESC LIMIT ?4
      """, .integer(account.rawValue), .integer(since?.microseconds ?? .min), .text(name?.text),
      .integer(Int64(limit))
    ) { row in
      result.append(
        ListedMessage(
          id: EntryID(RecordedDeletionKey(row)), mailbox: MailboxName(stored: row.text(3)),
          flags: MessageFlags(
            SystemFlags(rawValue: UInt8(truncatingIfNeeded: row.integer(4))),
            keywords: Keyword.decode(row.optionalText(5))),
          internalDate: DateTime(
            timestamp: Timestamp(microseconds: row.integer(7)), offsetMinutes: Int(row.integer(8))),
          size: row.integer(6), envelope: MessageStructure(encoded: row.blob(9))?.envelope ?? Envelope(),
          deletedAt: Timestamp(microseconds: row.integer(0))))
    }
    return result
  }

  package func messages(in mailbox: Mailbox, limit: Int) throws(StoreError) -> [ListedMessage] {
    var result: [ListedMessage] = []
    try each(
      """
      SELECT e.uid, e.flags, e.keywords, e.modseq, m.size, m.internal_date, m.internal_offset, b.structure
      FROM entries e JOIN messages m ON m.id = e.message JOIN bodies b ON b.id = m.body
      WHERE e.mailbox = ? ORDER BY e.uid DESC LIMIT ?
      """, .integer(mailbox.id.rawValue), .integer(Int64(limit))
    ) { row in
      let state = FlagState(row)
      result.append(
        ListedMessage(
          id: EntryID(mailbox: mailbox.id, uid: state.uid), mailbox: mailbox.name, flags: state.flags,
          internalDate: DateTime(
            timestamp: Timestamp(microseconds: row.integer(5)), offsetMinutes: Int(row.integer(6))),
          size: row.integer(4), envelope: MessageStructure(encoded: row.blob(7))?.envelope ?? Envelope()))
    }
    return result
  }

  /// In the order of their mailboxes and UIDs.
  package func deletedKeys(_ selection: DeletedSelection, of account: AccountID) throws(StoreError) -> [RecordedDeletionKey] {
    var keys: [RecordedDeletionKey] = []
    switch selection {
    case .messages(let ids):
      let wanted = Set(ids)
      try each(
        "SELECT deleted_at, mailbox, uid FROM deleted_entries WHERE account = ?", .integer(account.rawValue)
      ) { row in
        let key = RecordedDeletionKey(row)
        if wanted.contains(EntryID(key)) { keys.append(key) }
      }
    case .mailbox(let name, let since):
      try each(
        """
        SELECT deleted_at, mailbox, uid FROM deleted_entries WHERE account = ?1 AND deleted_at >= ?2
          AND (name = ?3 OR mailbox = (SELECT id FROM mailboxes WHERE account = ?1 AND name = ?3))
        """, .integer(account.rawValue), .integer(since?.microseconds ?? .min), .text(name.text)
      ) { keys.append(RecordedDeletionKey($0)) }
    }
    return keys.sorted { ($0.mailbox, $0.uid) < ($1.mailbox, $1.uid) }
  }

  /// Accounts, also ones that are gone, in which something was deleted at `time` or before.
  package func accountsToPurge(upTo time: Timestamp) throws(StoreError) -> [AccountID] {
    var accounts: [AccountID] = []
    try each(
      """
      SELECT account FROM messages WHERE orphaned_at <= ?1 UNION
      SELECT account FROM deleted_entries WHERE deleted_at <= ?1
      """, .integer(time.microseconds)
    ) { accounts.append(AccountID(rawValue: $0.integer(0))) }
    return accounts
  }
}
