import Bytes

/// The lexical rules of RFC 9051 §9 on a `ByteCursor`.
///
/// The cursor stands on a whole command as it came over the wire, without its final line end: a literal is there as
/// `{3}`, CRLF, and its three octets. A rule that does not match throws what was expected and names it as the ABNF
/// does.
extension ByteCursor {
  /// The error for this place: what was expected, and where.
  func expected(_ what: String) -> IMAPSyntaxError {
    IMAPSyntaxError(isAtEnd ? "\(what) at the end" : "\(what) at octet \(position + 1)")
  }

  mutating func expect(_ byte: UInt8, _ what: String) throws(IMAPSyntaxError) {
    guard skip(byte) else { throw expected(what) }
  }

  /// `SP`. More than one is taken too: clients in the field double it.
  mutating func expectSpace() throws(IMAPSyntaxError) {
    guard skip(0x20) else { throw expected("a space") }
    while skip(0x20) {}
  }

  /// The end of the command. Trailing spaces are forgiven.
  mutating func expectEnd() throws(IMAPSyntaxError) {
    while skip(0x20) {}
    guard isAtEnd else { throw expected("the end of the command") }
  }

  mutating func expectOpen() throws(IMAPSyntaxError) { try expect(0x28, "\"(\"") }
  mutating func expectClose() throws(IMAPSyntaxError) { try expect(0x29, "\")\"") }

  /// Moves over `text` if it is next as a whole atom (what follows can't belong to it), without regard to ASCII case.
  mutating func skip(atom text: StaticString) -> Bool {
    let start = position
    guard skip(caseInsensitive: text) else { return false }
    if let next = peek, next.isIn(.atomChar) {
      position = start
      return false
    }
    return true
  }

  /// `atom`.
  mutating func atom() throws(IMAPSyntaxError) -> ArraySlice<UInt8> {
    let atom = take { $0.isIn(.atomChar) }
    guard !atom.isEmpty else { throw expected("an atom") }
    return atom
  }

  /// An atom in upper case, for comparing with keywords.
  mutating func keyword() throws(IMAPSyntaxError) -> String {
    String(decoding: try atom().asciiUppercased, as: UTF8.self)
  }

  /// `tag` = 1*ASTRING-CHAR without `+`.
  mutating func tag() throws(IMAPSyntaxError) -> [UInt8] {
    let tag = take { $0.isIn(.tagChar) }
    guard !tag.isEmpty, tag.count <= 1000 else { throw expected("a tag") }
    return Array(tag)
  }

  // MARK: Numbers

  /// `number64` = unsigned 63-bit.
  mutating func number64() throws(IMAPSyntaxError) -> Int64 {
    let start = position
    let digits = take { $0.isIn(.digit) }
    guard !digits.isEmpty else { throw expected("a number") }
    var value: Int64 = 0
    for digit in digits {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.addingReportingOverflow(Int64(digit &- 0x30))
      if overflow || overflow2 {
        position = start
        throw expected("a number below 2^63")
      }
      value = sum
    }
    return value
  }

  /// `number` = unsigned 32-bit.
  mutating func number() throws(IMAPSyntaxError) -> UInt32 {
    let start = position
    guard let value = UInt32(exactly: try number64()) else {
      position = start
      throw expected("a number below 2^32")
    }
    return value
  }

  /// `nz-number`.
  mutating func nonZeroNumber() throws(IMAPSyntaxError) -> UInt32 {
    let start = position
    let value = try number()
    guard value > 0 else {
      position = start
      throw expected("a number above zero")
    }
    return value
  }

  // MARK: Strings

  /// `quoted`, with its escapes resolved. UTF-8 is taken as it is: RFC 9051 allows it, and before `ENABLE` the caller
  /// that minds refuses it. Lenient as other servers are: a backslash before any character stands for that character.
  mutating func quoted() throws(IMAPSyntaxError) -> [UInt8] {
    let start = position
    guard skip(0x22) else { throw expected("a quoted string") }
    var value: [UInt8] = []
    while let byte = next() {
      switch byte {
      case 0x22: return value
      case 0x5C:
        guard let escaped = next(), escaped != 0x0D, escaped != 0x0A, escaped != 0 else {
          position = start
          throw expected("a quoted string that ends")
        }
        value.append(escaped)
      case 0, 0x0D, 0x0A:
        position = start
        throw expected("a quoted string on one line")
      default: value.append(byte)
      }
    }
    position = start
    throw expected("a quoted string that ends")
  }

  /// `literal`, synchronising or not: the reader has put the octets behind the header. NUL is not a `CHAR8`.
  mutating func literal() throws(IMAPSyntaxError) -> ArraySlice<UInt8> {
    let start = position
    if skip(0x7B), let number = try? number64(), let count = Int(exactly: number) {
      _ = skip(0x2B)
      if skip(0x7D), skip(0x0D), skip(0x0A), let value = take(count) {
        if value.contains(0) {
          position = start
          throw expected("a literal without NUL")
        }
        return value
      }
    }
    position = start
    throw expected("a literal")
  }

  /// `string` = quoted / literal.
  mutating func string() throws(IMAPSyntaxError) -> [UInt8] {
    switch peek {
    case 0x22: return try quoted()
    case 0x7B: return Array(try literal())
    default: throw expected("a string")
    }
  }

  /// `nstring` = string / nil.
  mutating func nstring() throws(IMAPSyntaxError) -> [UInt8]? {
    if skip(atom: "NIL") { return nil }
    return try string()
  }

  /// `astring` = 1*ASTRING-CHAR / string.
  mutating func astring() throws(IMAPSyntaxError) -> [UInt8] {
    switch peek {
    case 0x22: return try quoted()
    case 0x7B: return Array(try literal())
    default:
      // 8-bit in an atom is not legal but is sent by clients that believe in UTF-8 everywhere; names are checked later.
      let atom = take { $0.isIn(.astringChar) || $0 >= 0x80 }
      guard !atom.isEmpty else { throw expected("a string") }
      return Array(atom)
    }
  }

  /// Elements between parentheses with single spaces, at least `minimum` of them.
  mutating func list(
    minimum: Int = 0, _ element: (inout ByteCursor) throws(IMAPSyntaxError) -> Void
  ) throws(IMAPSyntaxError) {
    try expectOpen()
    while skip(0x20) {}
    var count = 0
    if skip(0x29) {
      guard minimum == 0 else { throw expected("an element of the list") }
      return
    }
    while true {
      try element(&self)
      count += 1
      if skip(0x29) { break }
      try expectSpace()
      if skip(0x29) { break }
    }
    guard count >= minimum else { throw expected("an element of the list") }
  }
}
