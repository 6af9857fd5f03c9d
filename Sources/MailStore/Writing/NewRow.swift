import MessageFormat
import SQLite

/// A row that a new message brings. Nothing that only adds messages reads such rows of its own group, but for the
/// threads, so they can wait until the group's records are on their way to the disk.
enum NewRow {
  case body(id: Int64, pack: Int64?, position: Int64, size: Int, checksum: UInt32, structure: [UInt8])
  case message(
    id: Int64, account: Int64, body: Int64, thread: Int64, size: Int, date: DateTime, prefix: [UInt8], entries: Int)
  case entry(
    mailbox: Int64, uid: UInt32, message: Int64, flags: MessageFlags, modSequence: Int64, saved: Int64)
  /// Where the message ID is known already, its thread stays.
  case thread(ThreadKey, thread: Int64)
  /// With its recipients and destinations.
  case queued(RecordedQueuedMessage, size: Int64)
}

/// A message ID's hash in an account.
struct ThreadKey: Hashable {
  var account: Int64
  var hash: Int64
}

extension Database {
  func insert(_ row: NewRow) throws(StoreError) {
    switch row {
    case .body(let id, let pack, let position, let size, let checksum, let structure):
      try change(
        "INSERT INTO bodies (id, pack, position, size, checksum, structure) VALUES (?, ?, ?, ?, ?, ?)",
        .integer(id), .integer(pack), .integer(position), .integer(Int64(size)), .integer(Int64(checksum)),
        .blob(structure))
    case .message(let id, let account, let body, let thread, let size, let date, let prefix, let entries):
      try change(
        """
        INSERT INTO messages (id, account, body, thread, size, internal_date, internal_offset, prefix, entries)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(id), .integer(account), .integer(body), .integer(thread), .integer(Int64(size)),
        .integer(date.timestamp.microseconds), .integer(Int64(date.offsetMinutes)), .blob(prefix),
        .integer(Int64(entries)))
    case .entry(let mailbox, let uid, let message, let flags, let modSequence, let saved):
      try change(
        "INSERT INTO entries (mailbox, uid, message, flags, keywords, modseq, saved) VALUES (?, ?, ?, ?, ?, ?, ?)",
        .integer(mailbox), .integer(Int64(uid)), .integer(message), .integer(Int64(flags.system.rawValue)),
        .text(Keyword.encode(flags.keywords)), .integer(modSequence), .integer(saved))
    case .thread(let key, let thread):
      try change(
        "INSERT OR IGNORE INTO threads (account, hash, thread) VALUES (?, ?, ?)", .integer(key.account),
        .integer(key.hash), .integer(thread))
    case .queued(let message, let size): try insertQueued(message, size: size)
    }
  }
}

extension Database {
  /// For a message that a pack tells of.
  func insertThread(_ placement: PackRecord.Placement, of references: ThreadReferences) throws(StoreError) {
    for hash in references.all {
      try insert(.thread(ThreadKey(account: placement.account, hash: hash), thread: placement.thread))
    }
  }

  /// All but which messages are recent, which changes by other ways.
  func update(_ mailbox: Mailbox) throws(StoreError) {
    try change(
      """
      UPDATE mailboxes SET name = ?, special_use = ?, selectable = ?, uid_validity = ?, uid_next = ?, modseq = ?,
        messages = ?, unseen = ?, deleted = ?, size = ? WHERE id = ?
      """,
      .text(mailbox.name.text), .text(mailbox.specialUse?.rawValue), .integer(mailbox.isSelectable ? 1 : 0),
      .integer(Int64(mailbox.uidValidity.rawValue)), .integer(Int64(mailbox.uidNext.rawValue)),
      .integer(mailbox.highestModSequence.rawValue), .integer(Int64(mailbox.messageCount)),
      .integer(Int64(mailbox.unseenCount)), .integer(Int64(mailbox.deletedCount)), .integer(mailbox.size),
      .integer(mailbox.id.rawValue))
  }
}

/// The new rows of a group that wait, in order.
struct NewRows {
  private(set) var rows: [NewRow] = []
  private var threads: [ThreadKey: Int64] = [:]

  /// A position to go back to.
  var count: Int { rows.count }

  func thread(_ key: ThreadKey) -> Int64? { threads[key] }

  mutating func append(_ row: NewRow) {
    rows.append(row)
    if case .thread(let key, let thread) = row, threads[key] == nil { threads[key] = thread }
  }

  /// Forgets what came behind the first `count`.
  mutating func undo(to count: Int) {
    guard count < rows.count else { return }
    rows.removeSubrange(count...)
    threads.removeAll(keepingCapacity: true)
    for case .thread(let key, let thread) in rows where threads[key] == nil { threads[key] = thread }
  }

  mutating func removeAll() {
    rows.removeAll(keepingCapacity: true)
    threads.removeAll(keepingCapacity: true)
  }
}
