extension Array where Element == UInt8 {
  /// Appends the UTF-8 of `text`.
  package mutating func append(text: String) { append(contentsOf: text.utf8) }

  /// Appends the bytes of a literal without going through `String`.
  package mutating func append(literal text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends `value` in decimal.
  package mutating func append(decimal value: some BinaryInteger) {
    if value >= 0 && value < 10 {
      append(0x30 + UInt8(value))
    } else {
      append(contentsOf: String(value).utf8)
    }
  }
}
