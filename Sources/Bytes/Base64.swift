/// Base64 with the standard alphabet and padding.  RFC 4648 §4.
package enum Base64 {
  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  /// The text of `bytes`, padded, without line ends.
  package static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    if let text = bytes.withContiguousStorageIfAvailable({ encode(UnsafeRawBufferPointer($0)) }) { return text }
    return Array(bytes).withUnsafeBytes { encode($0) }
  }

  /// The text of `bytes` as lines of `lineLength` characters (a multiple of 4), each ended by CRLF.  RFC 2045 §6.8.
  package static func encode(_ bytes: some Sequence<UInt8>, lineLength: Int) -> [UInt8] {
    let text = encode(bytes)
    var lines: [UInt8] = []
    lines.reserveCapacity(text.count + text.count / max(lineLength, 1) * 2 + 2)
    var start = 0
    while start < text.count {
      let end = min(start + max(lineLength, 4), text.count)
      lines += text[start..<end]
      lines.append(literal: "\r\n")
      start = end
    }
    return lines
  }

  private static func encode(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let letters = alphabet.utf8Start
    return [UInt8](unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { text, count in
      var read = 0
      var write = 0
      while read &+ 2 < bytes.count {
        let group = UInt32(bytes[read]) << 16 | UInt32(bytes[read &+ 1]) << 8 | UInt32(bytes[read &+ 2])
        text[write] = letters[Int(group >> 18)]
        text[write &+ 1] = letters[Int(group >> 12 & 63)]
        text[write &+ 2] = letters[Int(group >> 6 & 63)]
        text[write &+ 3] = letters[Int(group & 63)]
        read &+= 3
        write &+= 4
      }
      if read < bytes.count {
        let hasSecond = read &+ 1 < bytes.count
        let group = UInt32(bytes[read]) << 16 | (hasSecond ? UInt32(bytes[read &+ 1]) << 8 : 0)
        text[write] = letters[Int(group >> 18)]
        text[write &+ 1] = letters[Int(group >> 12 & 63)]
        text[write &+ 2] = hasSecond ? letters[Int(group >> 6 & 63)] : 0x3D
        text[write &+ 3] = 0x3D
        write &+= 4
      }
      count = write
    }
  }

  /// The bytes of `text`. Strict, for SASL and other protocol use: whole groups, right padding, unused bits zero, and
  /// nothing else; nil where the text is anything else.  RFC 4648 §3.
  package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    if let bytes = text.withContiguousStorageIfAvailable({ decode(UnsafeRawBufferPointer($0)) }) { return bytes }
    return Array(text).withUnsafeBytes { decode($0) }
  }

  private static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let values = values
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var group: UInt32 = 0
    var filled = 0
    var padding = 0
    for character in text {
      if character == 0x3D {
        padding += 1
        continue
      }
      let value = values[Int(character)]
      guard value < 64, padding == 0 else { return nil }
      group = group << 6 | UInt32(value)
      filled += 1
      if filled == 4 {
        bytes.append(UInt8(truncatingIfNeeded: group >> 16))
        bytes.append(UInt8(truncatingIfNeeded: group >> 8))
        bytes.append(UInt8(truncatingIfNeeded: group))
        group = 0
        filled = 0
      }
    }
    switch (filled, padding) {
    case (0, 0): break
    case (2, 2):
      guard group & 0x0F == 0 else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: group >> 4))
    case (3, 1):
      guard group & 0x03 == 0 else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: group >> 10))
      bytes.append(UInt8(truncatingIfNeeded: group >> 2))
    default: return nil
    }
    return bytes
  }

  /// The bytes of a body part as mail has it: line ends and stray characters are passed over, padding ends a group and
  /// decoding goes on behind it, a cut-off end gives the whole bytes that are there.  RFC 2045 §6.8.
  package static func decodeLenient(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    let values = values
    return [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { bytes, count in
      var write = 0
      var group: UInt32 = 0
      var filled = 0
      for character in text {
        let value = values[Int(character)]
        if value < 64 {
          group = group << 6 | UInt32(value)
          filled &+= 1
          if filled == 4 {
            bytes[write] = UInt8(truncatingIfNeeded: group >> 16)
            bytes[write &+ 1] = UInt8(truncatingIfNeeded: group >> 8)
            bytes[write &+ 2] = UInt8(truncatingIfNeeded: group)
            write &+= 3
            group = 0
            filled = 0
          }
        } else if character == 0x3D, filled > 0 {
          flush()
        }
      }
      flush()
      count = write

      func flush() {
        if filled >= 2 {
          bytes[write] = UInt8(truncatingIfNeeded: filled == 2 ? group >> 4 : group >> 10)
          write &+= 1
          if filled == 3 {
            bytes[write] = UInt8(truncatingIfNeeded: group >> 2)
            write &+= 1
          }
        }
        group = 0
        filled = 0
      }
    }
  }

  /// The value of each character; 255 for those outside the alphabet.
  private static nonisolated(unsafe) let values: UnsafePointer<UInt8> = {
    let values = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    values.initialize(repeating: 255, count: 256)
    for index in 0..<64 { values[Int(alphabet.utf8Start[index])] = UInt8(index) }
    return UnsafePointer(values)
  }()
}
