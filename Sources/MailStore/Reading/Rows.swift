import MessageFormat
import SQLite

/// How rows become values.
extension Mailbox {
  /// Columns: id, account, name, special_use, selectable, uid_validity, uid_next, modseq, messages, unseen, deleted,
  /// size, first_recent, subscribed.
  init(_ row: Row) {
    self.init(
      id: MailboxID(rawValue: row.integer(0)), account: AccountID(rawValue: row.integer(1)),
      name: MailboxName(stored: row.text(2)),
      uidValidity: UIDValidity(rawValue: UInt32(truncatingIfNeeded: row.integer(5))),
      uidNext: UID(rawValue: UInt32(truncatingIfNeeded: row.integer(6))),
      highestModSequence: ModSequence(rawValue: row.integer(7)),
      specialUse: row.optionalText(3).flatMap(SpecialUse.init(rawValue:)), isSubscribed: row.integer(13) != 0,
      isSelectable: row.integer(4) != 0, messageCount: Int(row.integer(8)), unseenCount: Int(row.integer(9)),
      deletedCount: Int(row.integer(10)), size: row.integer(11),
      firstRecent: UID(rawValue: UInt32(truncatingIfNeeded: row.integer(12))))
  }
}

extension Keyword {
  /// As kept in a column: separated by spaces, NULL for none.
  static func decode(_ text: String?) -> [Keyword] {
    guard let text else { return [] }
    return text.split(separator: " ").map { Keyword(String($0)) }
  }

  static func encode(_ keywords: [Keyword]) -> String? {
    keywords.isEmpty ? nil : keywords.map(\.text).joined(separator: " ")
  }
}

extension FlagState {
  /// Columns: uid, flags, keywords, modseq.
  init(_ row: Row) {
    self.init(
      uid: UID(rawValue: UInt32(truncatingIfNeeded: row.integer(0))),
      flags: MessageFlags(
        SystemFlags(rawValue: UInt8(truncatingIfNeeded: row.integer(1))),
        keywords: Keyword.decode(row.optionalText(2))),
      modSequence: ModSequence(rawValue: row.integer(3)))
  }
}

extension MessageEntry {
  /// Columns: uid, flags, keywords, modseq, saved, message, thread, size, internal_date, internal_offset, body, prefix.
  init(_ row: Row) {
    let prefix = row.blob(11)
    let size = Int(row.integer(7))
    let state = FlagState(row)
    self.init(
      uid: state.uid, flags: state.flags, modSequence: state.modSequence, emailID: EmailID(rawValue: row.integer(5)),
      threadID: EmailID(rawValue: row.integer(6)), size: size,
      internalDate: DateTime(
        timestamp: Timestamp(microseconds: row.integer(8)), offsetMinutes: Int(row.integer(9))),
      saveDate: Timestamp(microseconds: row.integer(4)),
      content: ContentReference(prefix: prefix, bodyID: row.integer(10), bodySize: size - prefix.count))
  }
}

/// UIDs as runs for range scans.
enum UIDRuns {
  /// Sorts, removes doubles, and joins UIDs into ranges; gaps of up to `gap` are read over rather than looked up again.
  static func ranges(of uids: [UID], gap: UInt32 = 16) -> [ClosedRange<UInt32>] {
    var ranges: [ClosedRange<UInt32>] = []
    for uid in uids.lazy.map(\.rawValue).sorted() {
      if let last = ranges.last, uid <= last.upperBound || uid - last.upperBound <= gap {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, uid)
      } else {
        ranges.append(uid...uid)
      }
    }
    return ranges
  }
}

/// Membership in a list of UIDs, asked in ascending order.
struct UIDFilter {
  private let uids: [UInt32]
  private var position = 0
  init(_ uids: [UID]) { self.uids = uids.map(\.rawValue).sorted() }
  mutating func contains(_ uid: UInt32) -> Bool {
    while position < uids.count, uids[position] < uid { position += 1 }
    return position < uids.count && uids[position] == uid
  }
}
