import MailStore

/// Messages of the selected mailbox as this session counts them: ascending, disjoint ranges of indices, where an index
/// is a sequence number less one.
struct MessageSet: Hashable, Sendable {
  let ranges: [Range<Int>]

  static let none = MessageSet(unordered: [])

  /// Sorts and joins ranges that may come in any order and overlap.
  init(unordered: [Range<Int>]) {
    var joined: [Range<Int>] = []
    for range in unordered.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = joined.last, range.lowerBound <= last.upperBound {
        joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    ranges = joined
  }

  /// - Parameter indices: ascending and without doubles.
  init(ascending indices: some Sequence<Int>) {
    var joined: [Range<Int>] = []
    for index in indices {
      if let last = joined.last, last.upperBound == index {
        joined[joined.count - 1] = last.lowerBound..<index + 1
      } else {
        joined.append(index..<index + 1)
      }
    }
    ranges = joined
  }

  var isEmpty: Bool { ranges.isEmpty }
  var count: Int { ranges.reduce(0) { $0 + $1.count } }
  /// Each index, ascending.
  var indices: Indices { Indices(ranges: ranges) }

  /// A type of our own: in an async function the optimiser has made the standard library's lazy one start over for
  /// ever.
  struct Indices: Sequence, IteratorProtocol, Sendable {
    fileprivate let ranges: [Range<Int>]
    private var position = 0
    private var offset = 0

    fileprivate init(ranges: [Range<Int>]) { self.ranges = ranges }

    mutating func next() -> Int? {
      guard position < ranges.count else { return nil }
      let range = ranges[position]
      defer {
        offset += 1
        if offset == range.count {
          position += 1
          offset = 0
        }
      }
      return range.lowerBound + offset
    }

    /// The next indices, at most `count`, for commands that read while they answer; none at the end.
    mutating func next(_ count: Int) -> [Int] {
      var indices: [Int] = []
      while indices.count < count, let index = next() { indices.append(index) }
      return indices
    }
  }

  func contains(_ index: Int) -> Bool {
    let after = ranges.partitionPoint { $0.lowerBound <= index }
    return after > 0 && ranges[after - 1].contains(index)
  }
}

extension RandomAccessCollection where Index == Int {
  /// The first index whose element does not satisfy `isBefore`, in a collection where those that do come first.
  func partitionPoint(_ isBefore: (Element) -> Bool) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Whether a command counts messages by sequence number or by UID.
enum MessageNumbering: Sendable {
  case sequenceNumbers
  case uids
}
