/// Quoted-printable of what comes in pieces, cut anywhere.  RFC 2045 §6.7.
package struct QuotedPrintableEncoder: Sendable {
  private var column = 0
  /// White space that would have to be encoded at a line's end.
  private var space: UInt8?
  /// The first half of a line end, perhaps.
  private var isAfterCR = false

  /// Characters, without the `=` of a soft break.
  private static let longestLine = 75

  package init() {}

  package mutating func encode(_ bytes: some Sequence<UInt8>, into text: inout [UInt8]) {
    for byte in bytes {
      if isAfterCR {
        isAfterCR = false
        if byte == 0x0A {
          if let space { escape(space, &text) }
          space = nil
          text.append(literal: "\r\n")
          column = 0
          continue
        }
        passSpace(&text)
        escape(0x0D, &text)
      }
      if byte == 0x0D {
        isAfterCR = true
        continue
      }
      passSpace(&text)
      if byte.isIn(.wsp) {
        space = byte
      } else if byte > 0x20, byte < 0x7F, byte != 0x3D {
        put(byte, &text)
      } else {
        escape(byte, &text)
      }
    }
  }

  package mutating func finish(into text: inout [UInt8]) {
    if isAfterCR {
      passSpace(&text)
      escape(0x0D, &text)
    } else if let space {
      escape(space, &text)
    }
    self = QuotedPrintableEncoder()
  }

  private mutating func passSpace(_ text: inout [UInt8]) {
    if let space { put(space, &text) }
    space = nil
  }

  private mutating func put(_ byte: UInt8, _ text: inout [UInt8]) {
    // What stands in the middle of a line must not become the delimiter of a multipart by a soft break in front.
    if byte == UInt8(ascii: "-"), column == Self.longestLine { return escape(byte, &text) }
    makeRoom(1, &text)
    text.append(byte)
  }

  private mutating func escape(_ byte: UInt8, _ text: inout [UInt8]) {
    makeRoom(3, &text)
    let (high, low) = hexDigits(of: byte)
    text += [0x3D, high, low]
  }

  /// At most 76 characters a line, the `=` of a soft break among them.
  private mutating func makeRoom(_ width: Int, _ text: inout [UInt8]) {
    if column + width > Self.longestLine {
      text.append(literal: "=\r\n")
      column = 0
    }
    column += width
  }
}

/// Base64 of what comes in pieces, as lines of 76 characters.  RFC 2045 §6.8.
package struct Base64LineEncoder: Sendable {
  private static let lineOctets = 57
  private var pending: [UInt8] = []

  package init() {}

  package mutating func encode(_ bytes: some Collection<UInt8>, into text: inout [UInt8]) {
    pending += bytes
    let whole = pending.count - pending.count % Self.lineOctets
    guard whole > 0 else { return }
    text += Base64.encode(pending[..<whole], lineLength: 76)
    pending.removeFirst(whole)
  }

  package mutating func finish(into text: inout [UInt8]) {
    if !pending.isEmpty { text += Base64.encode(pending, lineLength: 76) }
    pending = []
  }
}
