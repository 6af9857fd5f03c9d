/// Quoted-printable.  RFC 2045 §6.7.
package enum QuotedPrintable {
  /// The bytes of `text`. Never fails: a broken `=` sequence stays as it is written, white space at a line's end is
  /// dropped, and LF alone is a line end too.
  package static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let newline = text.firstIndex(of: 0x0A, from: position)
      let next = newline.map { $0 &+ 1 } ?? text.count
      var end = newline ?? text.count
      var ending = newline == nil ? 0 : 1
      if newline != nil, end > position, text[end &- 1] == 0x0D {
        end &-= 1
        ending = 2
      }
      while end > position, text[end &- 1].isIn(.wsp) { end &-= 1 }
      if end > position, text[end &- 1] == 0x3D {
        // A soft line break; at the very end of the text too.
        end &-= 1
        ending = 0
      }
      decodeLine(text, position..<end, into: &bytes)
      if ending > 0 { bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[next &- ending..<next])) }
      position = next
    }
    return bytes
  }

  private static func decodeLine(_ text: UnsafeRawBufferPointer, _ line: Range<Int>, into bytes: inout [UInt8]) {
    var position = line.lowerBound
    while position < line.upperBound {
      let escape = text.firstIndex(of: 0x3D, in: position..<line.upperBound) ?? line.upperBound
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[position..<escape]))
      guard escape < line.upperBound else { return }
      if escape &+ 2 < line.upperBound, let high = text[escape &+ 1].hexValue, let low = text[escape &+ 2].hexValue {
        bytes.append(high << 4 | low)
        position = escape &+ 3
      } else {
        bytes.append(0x3D)
        position = escape &+ 1
      }
    }
  }

  /// The text of `bytes`, in which CRLF is a line end and any other CR or LF is data; lines have at most 76 characters.
  package static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 8)
    var column = 0
    var index = 0
    func isLineEnd(_ index: Int) -> Bool {
      index + 1 < bytes.count && bytes[index] == 0x0D && bytes[index + 1] == 0x0A
    }
    while index < bytes.count {
      if isLineEnd(index) {
        text.append(literal: "\r\n")
        column = 0
        index += 2
        continue
      }
      let byte = bytes[index]
      let endsLine = index + 1 == bytes.count || isLineEnd(index + 1)
      let isLiteral = byte.isIn(.wsp) ? !endsLine : byte > 0x20 && byte < 0x7F && byte != 0x3D
      let width = isLiteral ? 1 : 3
      // 76 with the `=` of a soft break; the last character of a line may stand in its place.
      if column + width > (endsLine ? 76 : 75) {
        text.append(literal: "=\r\n")
        column = 0
      }
      if isLiteral {
        text.append(byte)
      } else {
        let (high, low) = hexDigits(of: byte)
        text.append(0x3D)
        text.append(high)
        text.append(low)
      }
      column += width
      index += 1
    }
    return text
  }
}
