import Bytes

/// The encoding of parameter values that may hold anything: `+3D` is `=`.  RFC 3461 §4.
package enum XText {
  /// Nil where a `+` is not followed by two hexadecimal digits, or an octet outside `!`…`~` occurs.
  package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count)
    var index = text.startIndex
    while index < text.endIndex {
      let byte = text[index]
      if byte == UInt8(ascii: "+") {
        // The grammar has only upper-case digits; lower-case ones leave no doubt either.
        guard text.endIndex - index > 2, let high = text[index + 1].hexValue, let low = text[index + 2].hexValue else {
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
    for byte in bytes {
      if byte >= 0x21, byte <= 0x7E, byte != UInt8(ascii: "+"), byte != UInt8(ascii: "=") {
        encoded.append(byte)
      } else {
        let (high, low) = hexDigits(of: byte)
        encoded += [UInt8(ascii: "+"), high, low]
      }
    }
    return encoded
  }
}
