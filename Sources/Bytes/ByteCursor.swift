/// A position in a run of bytes, moved forward by a parser that reads like a grammar.
///
/// The bytes are never copied; a sub-rule works on the same cursor. Failing to match leaves the position where it was.
package struct ByteCursor: Sendable {
  /// The bytes that are being read.
  package let bytes: [UInt8]
  /// The index of the next byte to read.
  package var position: Int
  /// One past the last byte that may be read.
  package let end: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    self.position = 0
    self.end = bytes.count
  }

  package init(_ slice: ArraySlice<UInt8>) {
    self.init(Array(slice))
  }

  package var isAtEnd: Bool { position >= end }
  package var remaining: Int { end - position }

  /// The next byte without moving.
  package var peek: UInt8? { position < end ? bytes[position] : nil }

  /// The byte `offset` places ahead without moving.
  package func peek(ahead offset: Int) -> UInt8? {
    position + offset < end ? bytes[position + offset] : nil
  }

  /// Moves over the next byte and returns it.
  package mutating func next() -> UInt8? {
    guard position < end else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  /// Moves over `byte` if it is next.
  package mutating func skip(_ byte: UInt8) -> Bool {
    guard position < end, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  /// Moves over `text` if it is next, compared without regard to ASCII case.
  package mutating func skip(caseInsensitive text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard remaining >= count else { return false }
    let start = text.utf8Start
    for index in 0..<count where bytes[position + index].asciiLowercased != start[index].asciiLowercased {
      return false
    }
    position += count
    return true
  }

  /// Moves over the longest run of bytes that satisfy `predicate` and returns it; it may be empty.
  package mutating func take(while predicate: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    let start = position
    while position < end, predicate(bytes[position]) { position += 1 }
    return bytes[start..<position]
  }

  /// Moves over `count` bytes and returns them, or returns nil and stays if there are fewer.
  package mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, remaining >= count else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }
}

extension UInt8 {
  /// The byte with ASCII upper-case letters made lower-case; other bytes stay as they are.
  package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
  /// The byte with ASCII lower-case letters made upper-case; other bytes stay as they are.
  package var asciiUppercased: UInt8 { self &- 0x61 < 26 ? self & 0xDF : self }
}
