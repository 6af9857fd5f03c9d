/// Names a pack's file: its place in the history, and how often what stands there has been compacted.
///
/// `store.db` keeps both in one number, so that whatever names a pack names one file: the place in the lower 32 bits,
/// the generation above. A pack as it was written has generation 0, and its number is its place.
struct PackNumber: RawRepresentable, Hashable, Comparable, Sendable {
  let place: Int64
  let generation: Int64

  init(_ place: Int64, generation: Int64 = 0) {
    self.place = place
    self.generation = generation
  }

  init(rawValue: Int64) { self.init(rawValue & 0xFFFF_FFFF, generation: rawValue >> 32) }

  var rawValue: Int64 { generation << 32 | place }

  var isCompacted: Bool { generation > 0 }

  static func < (left: Self, right: Self) -> Bool {
    (left.place, left.generation) < (right.place, right.generation)
  }
}

extension PackNumber: CustomStringConvertible {
  /// `7`, and `7.1` once it was compacted: the file's name without its extension.
  var description: String { isCompacted ? "\(place).\(generation)" : "\(place)" }

  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int64($0) }
    switch (parts.count, parts.first ?? nil, parts.last ?? nil) {
    case (1, let place?, _): self.init(place)
    case (2, let place?, let generation?) where 1..<1 << 31 ~= generation: self.init(place, generation: generation)
    default: return nil
    }
  }
}
