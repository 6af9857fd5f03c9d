package import MessageFormat
package import SQLite

/// What readers and the writer ask alike.
extension Database {
  func mailbox(_ id: MailboxID) throws(StoreError) -> Mailbox? {
    try one(
      """
      SELECT m.id, m.account, m.name, special_use, selectable, uid_validity, uid_next, modseq, messages, unseen,
        deleted, size, first_recent, s.name IS NOT NULL
      FROM mailboxes m LEFT JOIN subscriptions s ON s.account = m.account AND s.name = m.name WHERE m.id = ?
      """, .integer(id.rawValue), row: Mailbox.init)
  }

  package func mailbox(named name: MailboxName, of account: AccountID) throws(StoreError) -> Mailbox? {
    try one(
      """
      SELECT m.id, m.account, m.name, special_use, selectable, uid_validity, uid_next, modseq, messages, unseen,
        deleted, size, first_recent, s.name IS NOT NULL
      FROM mailboxes m LEFT JOIN subscriptions s ON s.account = m.account AND s.name = m.name
      WHERE m.account = ? AND m.name = ?
      """, .integer(account.rawValue), .text(name.text), row: Mailbox.init)
  }

  /// In name order, INBOX first.
  package func mailboxes(of account: AccountID) throws(StoreError) -> [Mailbox] {
    var result: [Mailbox] = []
    try each(
      """
      SELECT m.id, m.account, m.name, special_use, selectable, uid_validity, uid_next, modseq, messages, unseen,
        deleted, size, first_recent, s.name IS NOT NULL
      FROM mailboxes m LEFT JOIN subscriptions s ON s.account = m.account AND s.name = m.name
      WHERE m.account = ? ORDER BY m.name <> 'INBOX', m.name
      """, .integer(account.rawValue)
    ) { result.append(Mailbox($0)) }
    return result
  }

  package func accountExists(_ account: AccountID) throws(StoreError) -> Bool {
    try one("SELECT 1 FROM accounts WHERE id = ?", .integer(account.rawValue)) { _ in true } ?? false
  }

  package func subscriptions(of account: AccountID) throws(StoreError) -> [MailboxName] {
    var result: [MailboxName] = []
    try each(
      "SELECT name FROM subscriptions WHERE account = ? ORDER BY name <> 'INBOX', name", .integer(account.rawValue)
    ) {
      result.append(MailboxName(stored: $0.text(0)))
    }
    return result
  }

  /// All of a mailbox in one scan.
  package func index(of id: MailboxID) throws(StoreError) -> MailboxIndex {
    guard let mailbox = try mailbox(id) else { throw .mailboxNotFound }
    guard mailbox.isSelectable else { throw .mailboxNotSelectable }
    var index = MailboxIndex(mailbox: mailbox, uids: [], flags: [], modSequences: [], keywords: [:])
    index.uids.reserveCapacity(mailbox.messageCount)
    index.flags.reserveCapacity(mailbox.messageCount)
    index.modSequences.reserveCapacity(mailbox.messageCount)
    try each(
      "SELECT uid, flags, modseq, keywords FROM entries WHERE mailbox = ? ORDER BY uid", .integer(id.rawValue)
    ) { row in
      let uid = UID(rawValue: UInt32(truncatingIfNeeded: row.integer(0)))
      index.uids.append(uid)
      index.flags.append(SystemFlags(rawValue: UInt8(truncatingIfNeeded: row.integer(1))))
      index.modSequences.append(ModSequence(rawValue: row.integer(2)))
      if let keywords = row.optionalText(3) { index.keywords[uid] = Keyword.decode(keywords) }
    }
    return index
  }

  package func entries(in mailbox: MailboxID, uids: [UID]) throws(StoreError) -> [MessageEntry] {
    var result: [MessageEntry] = []
    result.reserveCapacity(uids.count)
    var filter = UIDFilter(uids)
    for range in UIDRuns.ranges(of: uids) {
      try each(
        """
        SELECT e.uid, e.flags, e.keywords, e.modseq, e.saved, e.message, m.thread, m.size, m.internal_date,
          m.internal_offset, m.body, m.prefix
        FROM entries e JOIN messages m ON m.id = e.message
        WHERE e.mailbox = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid
        """, .integer(mailbox.rawValue), .integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound))
      ) { row in
        if filter.contains(UInt32(truncatingIfNeeded: row.integer(0))) { result.append(MessageEntry(row)) }
      }
    }
    return result
  }

  /// Entries with the structures of their bodies, in UID order.
  package func describedEntries(in mailbox: MailboxID, uids: [UID]) throws(StoreError) -> DescribedEntries {
    var result = DescribedEntries()
    result.entries.reserveCapacity(uids.count)
    result.structures.reserveCapacity(uids.count)
    var filter = UIDFilter(uids)
    for range in UIDRuns.ranges(of: uids) {
      try each(
        """
        SELECT e.uid, e.flags, e.keywords, e.modseq, e.saved, e.message, m.thread, m.size, m.internal_date,
          m.internal_offset, m.body, m.prefix, b.structure
        FROM entries e JOIN messages m ON m.id = e.message JOIN bodies b ON b.id = m.body
        WHERE e.mailbox = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid
        """, .integer(mailbox.rawValue), .integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound))
      ) { row in
        guard filter.contains(UInt32(truncatingIfNeeded: row.integer(0))) else { return }
        result.entries.append(MessageEntry(row))
        result.structures.append(EncodedStructure(row.blob(12)))
      }
    }
    return result
  }

  /// Flags, message and save date of the entries that exist among `uids`, in UID order.
  func entryStates(in mailbox: MailboxID, uids: [UID]) throws(StoreError)
    -> [(state: FlagState, email: EmailID, saved: Int64)]
  {
    var result: [(FlagState, EmailID, Int64)] = []
    var filter = UIDFilter(uids)
    for range in UIDRuns.ranges(of: uids) {
      try each(
        """
        SELECT uid, flags, keywords, modseq, message, saved FROM entries
        WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid
        """,
        .integer(mailbox.rawValue), .integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound))
      ) { row in
        if filter.contains(UInt32(truncatingIfNeeded: row.integer(0))) {
          result.append((FlagState(row), EmailID(rawValue: row.integer(4)), row.integer(5)))
        }
      }
    }
    return result
  }

  /// Runs of UIDs that were expunged after `modSequence`, in no order.
  package func expunged(in mailbox: MailboxID, after modSequence: ModSequence) throws(StoreError) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    try each(
      "SELECT first, last FROM vanished WHERE mailbox = ? AND modseq > ?", .integer(mailbox.rawValue),
      .integer(modSequence.rawValue)
    ) { row in
      let first = UInt32(truncatingIfNeeded: row.integer(0))
      result.append(first...max(first, UInt32(truncatingIfNeeded: row.integer(1))))
    }
    return result
  }

  struct BodyLocation: Equatable {
    /// Nil for a file of its own.
    var pack: PackNumber?
    var position: Int64
    var size: Int
  }

  func location(of body: Int64) throws(StoreError) -> BodyLocation? {
    try one("SELECT pack, position, size FROM bodies WHERE id = ?", .integer(body)) { row in
      BodyLocation(
        pack: row.optionalInteger(0).map(PackNumber.init(rawValue:)), position: row.integer(1),
        size: Int(row.integer(2)))
    }
  }
}

extension Database {
  /// The packs of which something is committed, and where the committed records of each end.
  func committedPacks() throws(StoreError) -> [PackNumber: Int64] {
    var ends: [PackNumber: Int64] = [:]
    try each("SELECT id, length FROM sealed_packs") { ends[PackNumber(rawValue: $0.integer(0))] = $0.integer(1) }
    let active = try StoreState(self).pack
    if active.segment > 0 { ends[PackNumber(active.segment)] = active.end }
    return ends
  }
}

extension Database {
  package func contents(of mailbox: MailboxID) throws(StoreError) -> [ContentKey: Int] {
    var counts: [ContentKey: Int] = [:]
    try each(
      """
      SELECT b.checksum, b.size, m.internal_date, m.prefix FROM entries e JOIN messages m ON m.id = e.message
      JOIN bodies b ON b.id = m.body WHERE e.mailbox = ?
      """, .integer(mailbox.rawValue)
    ) { counts[ContentKey($0), default: 0] += 1 }
    return counts
  }

  package func usage(of id: AccountID) throws(StoreError) -> QuotaUsage {
    // Every account has mailboxes.
    let usage = try one(
      "SELECT sum(size), sum(messages) FROM mailboxes WHERE account = ? HAVING count(*) > 0", .integer(id.rawValue)
    ) { row in
      QuotaUsage(bytes: row.integer(0), messages: row.integer(1))
    }
    guard let usage else { throw .accountNotFound }
    return usage
  }

  package func structures(of contents: [ContentReference]) throws(StoreError) -> [MessageStructure] {
    var result: [MessageStructure] = []
    result.reserveCapacity(contents.count)
    for content in contents {
      let encoded = try one("SELECT structure FROM bodies WHERE id = ?", .integer(content.bodyID)) { $0.blob(0) }
      guard let encoded else { throw .messageNotFound }
      guard let structure = MessageStructure(encoded: encoded) else {
        throw .corrupt("the structure of body \(content.bodyID)")
      }
      result.append(structure)
    }
    return result
  }
}

extension Database: StoreSnapshot {}
