import SQLite
import Synchronization

/// Which message each entry of a mailbox is, for the mailboxes that are searched. What a UID stands for never changes,
/// so a column that has been read only grows at its end, and an entry that is gone since does no harm in it.
final class MessageColumns: Sendable {
  struct Column: Sendable {
    var account: AccountID
    /// Ascending.
    var uids: [UInt32] = []
    /// The EMAILID of each.
    var messages: [Int64] = []
  }

  private struct State {
    var columns: [MailboxID: (column: Column, lastUse: UInt64)] = [:]
    var uses: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Entries kept of all mailboxes, 12 octets each. Beyond it, the mailboxes not searched for longest go first.
  private static let limit = 2_000_000

  /// With every entry that is in the mailbox now; nil where there is no such mailbox. Blocks.
  func column(of mailbox: MailboxID, _ database: Database) throws(StoreError) -> Column? {
    let known = state.withLock { state in
      state.uses += 1
      state.columns[mailbox]?.lastUse = state.uses
      return state.columns[mailbox]?.column
    }
    var column: Column
    if let known {
      column = known
    } else {
      guard let mailbox = try database.mailbox(mailbox) else { return nil }
      column = Column(account: mailbox.account)
    }
    let before = column.uids.count
    try database.each(
      "SELECT uid, message FROM entries WHERE mailbox = ? AND uid > ? ORDER BY uid", .integer(mailbox.rawValue),
      .integer(Int64(column.uids.last ?? 0))
    ) { row in
      column.uids.append(UInt32(truncatingIfNeeded: row.integer(0)))
      column.messages.append(row.integer(1))
    }
    if column.uids.count > before { keep(column, of: mailbox) }
    return column
  }

  private func keep(_ column: Column, of mailbox: MailboxID) {
    state.withLock { state in
      if let known = state.columns[mailbox], known.column.uids.count >= column.uids.count { return }
      state.columns[mailbox] = (column, state.uses)
      var count = state.columns.values.reduce(0) { $0 + $1.column.uids.count }
      while count > Self.limit, let oldest = state.columns.min(by: { $0.value.lastUse < $1.value.lastUse }) {
        count -= oldest.value.column.uids.count
        state.columns[oldest.key] = nil
      }
    }
  }
}
