import Bytes

/// What follows a command's name and one space, read by the command's own grammar.  RFC 1939 §9, RFC 2449 §4.
struct POP3Arguments {
  private(set) var text: ArraySlice<UInt8>

  init(_ text: ArraySlice<UInt8>) { self.text = text }

  /// The command's name in capitals and what follows it.
  static func split(_ line: [UInt8]) -> (name: [UInt8], arguments: POP3Arguments) {
    let end = line.firstIndex(of: 0x20) ?? line.endIndex
    return (line[..<end].map(\.asciiUppercased), POP3Arguments(line[end...].dropFirst()))
  }

  var isEmpty: Bool { text.allSatisfy { $0 == 0x20 } }

  /// The next word, if there is one. More than one space between words and spaces at the end are taken calmly.
  mutating func nextWord() -> ArraySlice<UInt8>? {
    text = text.drop { $0 == 0x20 }
    guard !text.isEmpty else { return nil }
    let word = text.prefix { $0 != 0x20 }
    text = text[word.endIndex...]
    return word
  }

  /// A decimal number. One too large to be anything is `Int.max`, which no message has for its number.
  mutating func number(_ what: String) throws(POP3Failure) -> Int {
    guard let word = nextWord() else { throw .syntax("\(what) is missing") }
    var value = 0
    for byte in word {
      guard byte &- 0x30 < 10 else { throw .syntax("\(what) is not a number") }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      if overflow || product > Int.max - 9 { return Int.max }
      value = product + Int(byte &- 0x30)
    }
    return value
  }

  /// A number if there is any argument at all.
  mutating func optionalNumber(_ what: String) throws(POP3Failure) -> Int? {
    isEmpty ? nil : try number(what)
  }

  func expectEnd() throws(POP3Failure) {
    if !isEmpty { throw .syntax("too many arguments") }
  }
}
