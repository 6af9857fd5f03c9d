import MailStore

/// Which messages are `\Recent` in this session: those it was the first to be told of.  RFC 3501 §2.3.2.
/// Kept as ranges, because a first login to a large mailbox makes all of it recent.
struct RecentMessages: Sendable {
  private var ranges: [ClosedRange<UInt32>]

  /// Everything from `first` on is recent.
  init(from first: UID, through last: UID?) {
    ranges = []
    if let last { add(from: first, through: last) }
  }

  /// Adds `first` through `last`; both lie above what has been added before.
  mutating func add(from first: UID, through last: UID) {
    guard first <= last else { return }
    if let previous = ranges.last, previous.upperBound &+ 1 >= first.rawValue {
      ranges[ranges.count - 1] = previous.lowerBound...max(previous.upperBound, last.rawValue)
    } else {
      ranges.append(first.rawValue...last.rawValue)
    }
  }

  func contains(_ uid: UID) -> Bool {
    let after = ranges.partitionPoint { $0.lowerBound <= uid.rawValue }
    return after > 0 && ranges[after - 1].contains(uid.rawValue)
  }

  /// How many of `uids`, which ascend, are recent.
  func count(in uids: [UID]) -> Int {
    ranges.reduce(0) { count, range in
      count + uids.partitionPoint { $0.rawValue <= range.upperBound }
        - uids.partitionPoint { $0.rawValue < range.lowerBound }
    }
  }
}
