import Bytes

// How numbers and texts stand in the metadata of a record: fixed numbers little-endian, others as LEB128, signed ones
// in zigzag, texts with their length in front.

extension Array where Element == UInt8 {
  mutating func appendLittleEndian<Number: FixedWidthInteger>(_ value: Number) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  mutating func store(_ value: UInt32, at offset: Int) {
    withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self) }
  }

  /// LEB128.
  mutating func appendVariable(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  /// IDs and mod-sequences: never negative in a sound store.
  mutating func appendVariable(_ value: Int64) { appendVariable(UInt64(bitPattern: value)) }

  /// Small where the value is near zero, on either side.
  mutating func appendSigned(_ value: Int64) { appendVariable(UInt64(bitPattern: value << 1 ^ value >> 63)) }

  mutating func appendCounted(_ bytes: some Collection<UInt8>) {
    appendVariable(UInt64(bytes.count))
    append(contentsOf: bytes)
  }

  mutating func appendText(_ text: String) { appendCounted(text.utf8) }

  /// A byte that says whether there is one, then the value.
  mutating func appendOptional<Value>(_ value: Value?, _ append: (inout [UInt8], Value) -> Void) {
    self.append(value == nil ? 0 : 1)
    if let value { append(&self, value) }
  }

  mutating func appendList<Value>(_ values: [Value], _ append: (inout [UInt8], Value) -> Void) {
    appendVariable(UInt64(values.count))
    for value in values { append(&self, value) }
  }
}

extension ArraySlice where Element == UInt8 {
  /// The caller has checked that the bytes are there.
  func littleEndian<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
    withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }
}

extension ByteCursor {
  mutating func nextVariable() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = next() {
      guard shift < 64 else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  mutating func nextID() -> Int64? { nextVariable().map { Int64(bitPattern: $0) } }

  mutating func nextNumber() -> UInt32? { nextVariable().flatMap { UInt32(exactly: $0) } }

  mutating func nextSigned() -> Int64? {
    nextVariable().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
  }

  mutating func nextCounted() -> ArraySlice<UInt8>? {
    guard let count = nextVariable(), let count = Int(exactly: count) else { return nil }
    return take(count)
  }

  mutating func nextText() -> String? { nextCounted().map { String(decoding: $0, as: UTF8.self) } }

  /// The outer nil is for damage, the inner one for a value that is not there.
  mutating func nextOptional<Value>(_ read: (inout ByteCursor) -> Value?) -> Value?? {
    switch next() {
    case 0: return .some(nil)
    case 1:
      guard let value = read(&self) else { return nil }
      return .some(value)
    default: return nil
    }
  }

  /// Every value takes an octet at least, so a count that cannot be true costs nothing.
  mutating func nextList<Value>(_ read: (inout ByteCursor) -> Value?) -> [Value]? {
    guard let count = nextVariable(), count <= UInt64(remaining) else { return nil }
    var values: [Value] = []
    for _ in 0..<count {
      guard let value = read(&self) else { return nil }
      values.append(value)
    }
    return values
  }
}
