import Bytes

/// The encoding of parameter values that may hold anything: `+3D` is `=`.  RFC 3461 §4.
package enum XText {
  /// Nil where a `+` is not followed by two upper-case hexadecimal digits, or an octet outside `!`…`~` occurs.
  package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count)
    var index = text.startIndex
    while index < text.endIndex {
      let byte = text[index]
      if byte == UInt8(ascii: "+") {
        guard text.endIndex - index > 2, let high = hexValue(text[index + 1]), let low = hexValue(text[index + 2]) else {
          return nil
        }
        decoded.append(high << 4 | low)
        index += 3
      } else {
        guard byte >= 0x21, byte <= 0x7E, byte != UInt8(ascii: "=") else { return nil }
        decoded.append(byte)
        index += 1
      }
    }
    return decoded
  }

  package static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var encoded: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in bytes {
      if byte >= 0x21, byte <= 0x7E, byte != UInt8(ascii: "+"), byte != UInt8(ascii: "=") {
        encoded.append(byte)
      } else {
        encoded.append(UInt8(ascii: "+"))
        encoded.append(digits[Int(byte >> 4)])
        encoded.append(digits[Int(byte & 15)])
      }
    }
    return encoded
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
