/// How often values of each size came, in a fixed 4 KB: exact below 16, else within an eighth.
struct Distribution: Sendable {
  private(set) var count: UInt64 = 0
  private(set) var sum: Double = 0
  private(set) var largest: Int64 = 0
  private var buckets: [UInt64] = Array(repeating: 0, count: Self.bucketCount)

  /// Eight to each power of two from 16 on.
  private static let bucketCount = 16 + (63 - 4) * 8

  mutating func add(_ value: Int64) {
    let value = max(0, value)
    count += 1
    sum += Double(value)
    largest = max(largest, value)
    buckets[Self.bucket(of: value)] += 1
  }

  /// The value that `share` (0...1) of all values do not exceed, to the upper end of its bucket; 0 where there are none.
  func quantile(_ share: Double) -> Int64 {
    guard count > 0 else { return 0 }
    let rank = max(1, UInt64((Double(count) * share).rounded(.up)))
    var seen: UInt64 = 0
    for (position, bucket) in buckets.enumerated() {
      seen += bucket
      if seen >= rank { return min(largest, Self.upperEnd(of: position)) }
    }
    return largest
  }

  private static func bucket(of value: Int64) -> Int {
    guard value >= 16 else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return 16 + (exponent - 4) * 8 + Int((value >> (exponent - 3)) & 7)
  }

  private static func upperEnd(of bucket: Int) -> Int64 {
    guard bucket >= 16 else { return Int64(bucket) }
    let exponent = (bucket - 16) / 8 + 4
    let step = Int64(1) << (exponent - 3)
    return (Int64(1) << exponent) + Int64((bucket - 16) % 8) * step + (step - 1)
  }
}
