#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The C library has `memmem` (linear in the worst case), but its header shows it only under `_GNU_SOURCE`, which the
/// system module is built without; so the symbol is named here.
@_silgen_name("memmem")
private func memmem(
  _ haystack: UnsafeRawPointer, _ haystackCount: Int, _ needle: UnsafeRawPointer, _ needleCount: Int
) -> UnsafeRawPointer?

extension UnsafeRawBufferPointer {
  /// The index of the first `byte` at or after `start`.
  @inline(__always)
  package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    guard let base = baseAddress, start < count, start >= 0 else { return nil }
    guard let hit = memchr(base + start, Int32(byte), count &- start) else { return nil }
    return UnsafeRawPointer(hit) - base
  }

  /// The index of the first `byte` in `range`.
  @inline(__always)
  package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
    guard let base = baseAddress, range.lowerBound >= 0, range.upperBound <= count, !range.isEmpty else { return nil }
    guard let hit = memchr(base + range.lowerBound, Int32(byte), range.count) else { return nil }
    return UnsafeRawPointer(hit) - base
  }

  /// The index where `needle` first occurs at or after `start`; an empty needle occurs everywhere.
  package func firstIndex(of needle: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
    guard start >= 0, start <= count else { return nil }
    guard let needleBase = needle.baseAddress, needle.count > 0 else { return start }
    guard let base = baseAddress, let hit = memmem(base + start, count - start, needleBase, needle.count) else {
      return nil
    }
    return hit - base
  }

  /// The number of `byte`s in `range`.
  package func countOccurrences(of byte: UInt8, in range: Range<Int>) -> Int {
    var position = range.lowerBound
    var found = 0
    while let hit = firstIndex(of: byte, in: position..<range.upperBound) {
      found &+= 1
      position = hit &+ 1
      if position >= range.upperBound { break }
    }
    return found
  }

  /// True if `range` is `text`, compared without regard to ASCII case.
  package func equals(_ text: StaticString, in range: Range<Int>) -> Bool {
    guard range.count == text.utf8CodeUnitCount, range.lowerBound >= 0, range.upperBound <= count else { return false }
    let start = text.utf8Start
    for offset in 0..<range.count
    where self[range.lowerBound &+ offset].asciiLowercased != start[offset].asciiLowercased {
      return false
    }
    return true
  }
}

extension Collection where Element == UInt8 {
  /// True if the bytes are `text`, compared without regard to ASCII case.
  package func equalsIgnoringASCIICase(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    var pointer = text.utf8Start
    for byte in self {
      if byte.asciiLowercased != pointer.pointee.asciiLowercased { return false }
      pointer += 1
    }
    return true
  }

  /// True if the bytes are `other`, compared without regard to ASCII case.
  package func equalsIgnoringASCIICase(_ other: some Collection<UInt8>) -> Bool {
    count == other.count && zip(self, other).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
  }

  /// The bytes with ASCII letters made lower-case.
  package var asciiLowercased: [UInt8] { map(\.asciiLowercased) }
  /// The bytes with ASCII letters made upper-case.
  package var asciiUppercased: [UInt8] { map(\.asciiUppercased) }
}

extension Array where Element == UInt8 {
  /// True if `needle` occurs in the bytes.
  package func contains(bytes needle: [UInt8]) -> Bool {
    withUnsafeBytes { haystack in needle.withUnsafeBytes { haystack.firstIndex(of: $0) } } != nil
  }
}
