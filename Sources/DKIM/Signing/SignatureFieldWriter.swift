import Bytes

/// Writes a DKIM-Signature field, folded so that no line is longer than 78 octets, as far as its words allow.
/// RFC 5322 §2.1.1, RFC 6376 §3.5.
struct SignatureFieldWriter {
  /// The field so far, without its CRLF.
  private(set) var bytes: [UInt8] = Array("DKIM-Signature:".utf8)
  private var column = 15
  private var isFirst = true
  /// One less than a line may have: a semicolon or colon may follow.
  private let width = 77

  /// A tag whose value stays in one piece.
  mutating func append(_ name: StaticString, _ value: String) {
    begin(name, firstWord: value.utf8.count)
    write(value.utf8)
  }

  /// A tag whose value is a list, folded behind its colons.
  mutating func append(_ name: StaticString, list words: [[UInt8]]) {
    begin(name, firstWord: words.first?.count ?? 0)
    for (index, word) in words.enumerated() {
      if index > 0 {
        write([0x3A])
        if column + word.count > width { fold() }
      }
      write(word)
    }
  }

  /// A tag whose value is base64, folded anywhere. It may be empty for now.
  mutating func append(_ name: StaticString, base64 text: [UInt8]) {
    begin(name, firstWord: 16)
    append(base64: text)
  }

  /// More of the value of the last tag.
  mutating func append(base64 text: [UInt8]) {
    var rest = text[...]
    while !rest.isEmpty {
      if column >= width { fold() }
      let line = rest.prefix(width - column)
      write(line)
      rest = rest.dropFirst(line.count)
    }
  }

  private mutating func begin(_ name: StaticString, firstWord: Int) {
    if !isFirst { write([0x3B]) }
    if isFirst || column + 2 + name.utf8CodeUnitCount + firstWord <= width { write([0x20]) } else { fold() }
    isFirst = false
    write(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    write([0x3D])
  }

  private mutating func fold() {
    bytes.append(literal: "\r\n\t")
    column = 1
  }

  private mutating func write(_ text: some Collection<UInt8>) {
    bytes.append(contentsOf: text)
    column += text.count
  }
}
