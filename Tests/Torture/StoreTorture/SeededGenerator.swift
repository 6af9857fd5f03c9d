/// The same numbers for the same seed: SplitMix64.
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// True once in `count` times.
  mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

  /// Small numbers as often as great ones: the first steps of anything deserve as many cuts as all later ones.
  mutating func spread(upTo limit: Int) -> Int {
    let magnitude = Int.random(in: 0...(Int.bitWidth - limit.leadingZeroBitCount), using: &self)
    return Int.random(in: 1...max(1, min(limit, 1 << magnitude)), using: &self)
  }
}
