import SQLite

/// Entries as the packs tell of them: what a repair and a start after a power cut do alike. Counters of mailboxes and
/// what they give next are left to the caller.
extension Database {
  /// New entries of messages that are there, and known ones as they are now.
  func replay(_ entries: [RecordedEntry], in mailbox: Int64) throws(StoreError) {
    for entry in entries {
      try change(
        """
        UPDATE entries SET message = ?, flags = ?, keywords = ?, modseq = ?, saved = ? WHERE mailbox = ? AND uid = ?
        """,
        .integer(entry.message), .integer(Int64(entry.flags)),
        entry.keywords.isEmpty ? .null : .text(entry.keywords), .integer(entry.modSequence), .integer(entry.saved),
        .integer(mailbox), .integer(Int64(entry.uid)))
      guard changedRows == 0 else { continue }
      try insert(entry, in: mailbox)
      try change(
        "UPDATE messages SET entries = entries + 1, orphaned_at = NULL WHERE id = ?", .integer(entry.message))
    }
  }

  func insert(_ entry: RecordedEntry, in mailbox: Int64) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO entries (mailbox, uid, message, flags, keywords, modseq, saved)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """,
      .integer(mailbox), .integer(Int64(entry.uid)), .integer(entry.message), .integer(Int64(entry.flags)),
      entry.keywords.isEmpty ? .null : .text(entry.keywords), .integer(entry.modSequence), .integer(entry.saved))
  }

  /// What is about to be removed is among the account's deleted from now on.
  func keepDeleted(
    _ run: ClosedRange<UInt32>, of mailbox: Int64, _ name: String, account: Int64, at time: Int64
  ) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO deleted_entries (account, deleted_at, mailbox, uid, name, message, flags, keywords)
      SELECT ?, ?, mailbox, uid, ?, message, flags, keywords FROM entries WHERE mailbox = ? AND uid BETWEEN ? AND ?
      """, .integer(account), .integer(time), .text(name), .integer(mailbox), .integer(Int64(run.lowerBound)),
      .integer(Int64(run.upperBound)))
  }

  func replayRemoval(
    of run: ClosedRange<UInt32>, from mailbox: Int64, modSequence: Int64, at time: Int64
  ) throws(StoreError) {
    var messages: [Int64] = []
    try each(
      "SELECT message FROM entries WHERE mailbox = ? AND uid BETWEEN ? AND ?", .integer(mailbox),
      .integer(Int64(run.lowerBound)), .integer(Int64(run.upperBound))
    ) { messages.append($0.integer(0)) }
    for message in messages {
      // SQLite computes with the values of before.
      try change(
        """
        UPDATE messages SET entries = entries - 1, orphaned_at = CASE WHEN entries <= 1 THEN ? END WHERE id = ?
        """, .integer(time), .integer(message))
    }
    try deleteEntries(in: mailbox, run)
    try insert(RecordedRun(modSequence: modSequence, uids: run), in: mailbox)
  }

  func insert(_ run: RecordedRun, in mailbox: Int64) throws(StoreError) {
    try change(
      "INSERT OR REPLACE INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)", .integer(mailbox),
      .integer(run.modSequence), .integer(Int64(run.uids.lowerBound)), .integer(Int64(run.uids.upperBound)))
  }

  func deleteEntries(in mailbox: Int64, _ range: ClosedRange<UInt32>) throws(StoreError) {
    try change(
      "DELETE FROM entries WHERE mailbox = ? AND uid BETWEEN ? AND ?", .integer(mailbox),
      .integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound)))
  }

  /// Sets the counters of all mailboxes, or of one, to what their entries say.
  func countMessages(in mailbox: Int64? = nil) throws(StoreError) {
    try change(
      """
      UPDATE mailboxes SET (messages, unseen, deleted, size) = (
        SELECT count(*), ifnull(sum(e.flags & 1 = 0), 0), ifnull(sum(e.flags & 8 <> 0), 0), ifnull(sum(m.size), 0)
        FROM entries e JOIN messages m ON m.id = e.message WHERE e.mailbox = mailboxes.id)
      WHERE ?1 IS NULL OR id = ?1
      """, .integer(mailbox))
  }
}
