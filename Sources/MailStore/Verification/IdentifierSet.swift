/// IDs, a bit each: a million cost some 125 KB where they lie close together, as the store's do.
struct IdentifierSet {
  private var pages: [Int64: [UInt64]] = [:]
  private static let pageBits: Int64 = 1 << 15

  mutating func insert(_ id: Int64) {
    let (page, word, bit) = Self.place(of: id)
    pages[page, default: [UInt64](repeating: 0, count: Int(Self.pageBits / 64))][word] |= bit
  }

  mutating func remove(_ id: Int64) {
    let (page, word, bit) = Self.place(of: id)
    pages[page]?[word] &= ~bit
  }

  func contains(_ id: Int64) -> Bool {
    let (page, word, bit) = Self.place(of: id)
    return pages[page].map { $0[word] & bit != 0 } ?? false
  }

  /// Those in here and not in `other`, ascending.
  func subtracting(_ other: IdentifierSet) -> [Int64] {
    var result: [Int64] = []
    for (page, words) in pages.sorted(by: { $0.key < $1.key }) {
      let others = other.pages[page]
      for (index, word) in words.enumerated() {
        var rest = word & ~(others?[index] ?? 0)
        while rest != 0 {
          result.append(page * Self.pageBits + Int64(index * 64 + rest.trailingZeroBitCount))
          rest &= rest - 1
        }
      }
    }
    return result
  }

  private static func place(of id: Int64) -> (page: Int64, word: Int, bit: UInt64) {
    // IDs are positive; whatever else a damaged store has ends up somewhere.
    let page = id >> 15
    let offset = Int(id & (pageBits - 1))
    return (page, offset / 64, 1 << UInt64(offset % 64))
  }
}
