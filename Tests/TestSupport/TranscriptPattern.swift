/// An expected line: literal text, `...` for anything, `<name>` for a captured word.
package struct TranscriptPattern: Sendable, CustomStringConvertible {
  package let text: String
  private let pieces: [Piece]

  private enum Piece: Sendable {
    case literal([UInt8])
    case anything
    case word(String)
  }

  package init(_ text: String) {
    self.text = text
    pieces = Self.pieces(of: Array(text.utf8))
  }

  package var description: String { text }

  /// Matches a whole line without its line end, and adds what it captures.
  package func matches(_ line: [UInt8], _ captured: inout [String: [UInt8]]) -> Bool {
    if let found = Self.match(pieces[...], line[...], captured) {
      captured = found
      return true
    }
    // A final " ..." also stands for nothing at all.
    if case .anything? = pieces.last, case .literal(let before)? = pieces.dropLast().last, before.last == 0x20 {
      let shorter = pieces.dropLast(2) + [.literal(Array(before.dropLast()))]
      if let found = Self.match(shorter, line[...], captured) {
        captured = found
        return true
      }
    }
    return false
  }

  /// Fills in words that have been captured; other text in angle brackets stays.
  package static func fill(_ text: String, _ captured: [String: [UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = []
    for piece in pieces(of: Array(text.utf8)) {
      switch piece {
      case .literal(let literal): bytes += literal
      case .anything: bytes += Array("...".utf8)
      case .word(let name): bytes += captured[name] ?? Array("<\(name)>".utf8)
      }
    }
    return bytes
  }

  private static func pieces(of text: [UInt8]) -> [Piece] {
    var pieces: [Piece] = []
    var literal: [UInt8] = []
    func flush() {
      if !literal.isEmpty { pieces.append(.literal(literal)) }
      literal = []
    }
    var index = 0
    while index < text.count {
      if text[index...].starts(with: [0x2E, 0x2E, 0x2E]) {
        flush()
        pieces.append(.anything)
        index += 3
      } else if text[index] == UInt8(ascii: "<"), let name = name(at: index + 1, in: text) {
        flush()
        pieces.append(.word(name))
        index += name.utf8.count + 2
      } else {
        literal.append(text[index])
        index += 1
      }
    }
    flush()
    return pieces
  }

  /// A name that begins with a lower-case letter and is closed by `>`.
  private static func name(at start: Int, in text: [UInt8]) -> String? {
    var end = start
    while end < text.count, text[end] &- 0x30 < 10 || (text[end] | 0x20) &- 0x61 < 26 { end += 1 }
    guard end > start, end < text.count, text[end] == UInt8(ascii: ">"), text[start] &- 0x61 < 26 else { return nil }
    return String(decoding: text[start..<end], as: UTF8.self)
  }

  private static func match(_ pieces: ArraySlice<Piece>, _ line: ArraySlice<UInt8>, _ captured: [String: [UInt8]])
    -> [String: [UInt8]]?
  {
    guard let piece = pieces.first else { return line.isEmpty ? captured : nil }
    let rest = pieces.dropFirst()
    switch piece {
    case .literal(let text):
      return line.starts(with: text) ? match(rest, line.dropFirst(text.count), captured) : nil
    case .anything:
      if rest.isEmpty { return captured }
      for skipped in 0...line.count {
        if let found = match(rest, line.dropFirst(skipped), captured) { return found }
      }
      return nil
    case .word(let name):
      if let known = captured[name] {
        return line.starts(with: known) ? match(rest, line.dropFirst(known.count), captured) : nil
      }
      let longest = line.prefix { !#" ")]}>"#.utf8.contains($0) }.count
      for count in stride(from: longest, to: 0, by: -1) {
        var captured = captured
        captured[name] = Array(line.prefix(count))
        if let found = match(rest, line.dropFirst(count), captured) { return found }
      }
      return nil
    }
  }
}

/// The escapes of `C-raw` and `S-raw`.
package enum TranscriptEscapes {
  package static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "0"): bytes.append(0x00)
      case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "x"):
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: return nil
      }
    }
    return bytes
  }

  /// The reverse, for messages to people.
  package static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
      switch byte {
      case 0x0D: text += Array(#"\r"#.utf8)
      case 0x0A: text += Array(#"\n"#.utf8)
      case 0x00: text += Array(#"\0"#.utf8)
      case 0x20..<0x7F, 0x80...: text.append(byte)
      default: text += Array((byte < 16 ? #"\x0"# : #"\x"#).utf8) + Array(String(byte, radix: 16).utf8)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
