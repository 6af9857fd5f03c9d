extension Array where Element == UInt8 {
  /// Appends the UTF-8 of `text`.
  package mutating func append(text: String) { append(contentsOf: text.utf8) }

  /// Appends the bytes of a literal without going through `String`.
  package mutating func append(literal text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends `value` in decimal.
  package mutating func append(decimal value: some BinaryInteger) {
    if let number = Int(exactly: value) { append(decimal: number) } else { append(contentsOf: String(value).utf8) }
  }

  /// Appends `value` in decimal; by this type, so that it is one call and not one of generic code.
  package mutating func append(decimal value: Int) {
    if value < 0 { append(0x2D) }
    // Twenty digits at most, from the last to the first.
    var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    Swift.withUnsafeMutableBytes(of: &digits) { digits in
      var first = digits.count
      var rest = value.magnitude
      repeat {
        let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
        first &-= 1
        digits[first] = 0x30 &+ UInt8(truncatingIfNeeded: digit)
        rest = quotient
      } while rest > 0
      append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[first...]))
    }
  }

  /// Appends what stands in `range` once more. A slice given to `append(contentsOf:)` would copy the whole array first.
  package mutating func append(copyOf range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let end = count
    append(contentsOf: repeatElement(0, count: range.count))
    withUnsafeMutableBytes { bytes in
      let original = UnsafeRawBufferPointer(rebasing: bytes[range])
      UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(from: original)
    }
  }
}
