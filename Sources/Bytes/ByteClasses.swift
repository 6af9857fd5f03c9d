/// Classes of bytes, named after the ABNF rules they stand for.
///
/// One table of bits: a byte is in a class if the class's bit is set in its entry, so a test is one load and one `and`.
package struct ByteClass: OptionSet, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// `WSP` = SP / HTAB.  RFC 5234 appendix B.1.
  package static let wsp = ByteClass(rawValue: 1 << 0)
  /// `CTL` = %x00-1F / %x7F.
  package static let ctl = ByteClass(rawValue: 1 << 1)
  /// `ALPHA`.
  package static let alpha = ByteClass(rawValue: 1 << 2)
  /// `DIGIT`.
  package static let digit = ByteClass(rawValue: 1 << 3)
  /// `atext` of RFC 5322 §3.2.3 with the 8-bit bytes of RFC 6532 §3.2.
  package static let atext = ByteClass(rawValue: 1 << 4)
  /// `ftext` of RFC 5322 §3.6.8: the characters of a field name.
  package static let ftext = ByteClass(rawValue: 1 << 5)
  /// `token` of RFC 2045 §5.1: no CTL, space or tspecials.
  package static let token = ByteClass(rawValue: 1 << 6)
  /// `ATOM-CHAR` of RFC 9051 §9.
  package static let atomChar = ByteClass(rawValue: 1 << 7)
  /// `ASTRING-CHAR` = ATOM-CHAR / resp-specials.
  package static let astringChar = ByteClass(rawValue: 1 << 8)
  /// `list-char` = ATOM-CHAR / list-wildcards / resp-specials, with the 8-bit bytes of RFC 9755.
  package static let listChar = ByteClass(rawValue: 1 << 9)
  /// `tag` = ASTRING-CHAR except `+`.
  package static let tagChar = ByteClass(rawValue: 1 << 10)
  /// What may stand in an IMAP quoted string without a backslash: no CR, LF, NUL, 8-bit, DQUOTE or backslash.
  package static let plainQuoted = ByteClass(rawValue: 1 << 11)
  /// `HEXDIG`, in either case.
  package static let hexdig = ByteClass(rawValue: 1 << 12)
}

private nonisolated(unsafe) let classTable: UnsafePointer<UInt16> = {
  let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
  for index in 0..<256 {
    let byte = UInt8(index)
    var classes: ByteClass = []
    let isCTL = byte < 0x20 || byte == 0x7F
    let isAlpha = byte.asciiLowercased &- 0x61 < 26
    let isDigit = byte &- 0x30 < 10
    let isASCIIPrintable = byte > 0x20 && byte < 0x7F
    func isOne(of characters: StaticString) -> Bool {
      UnsafeBufferPointer(start: characters.utf8Start, count: characters.utf8CodeUnitCount).contains(byte)
    }
    if byte == 0x20 || byte == 0x09 { classes.insert(.wsp) }
    if isCTL { classes.insert(.ctl) }
    if isAlpha { classes.insert(.alpha) }
    if isDigit { classes.insert(.digit) }
    if isAlpha || isDigit || byte >= 0x80 || isOne(of: "!#$%&'*+-/=?^_`{|}~") { classes.insert(.atext) }
    if isASCIIPrintable && byte != 0x3A { classes.insert(.ftext) }
    if isASCIIPrintable && !isOne(of: "()<>@,;:\\\"/[]?=") { classes.insert(.token) }
    let isAtomChar = isASCIIPrintable && !isOne(of: "(){%*\"\\]")
    if isAtomChar { classes.insert(.atomChar) }
    if isAtomChar || byte == 0x5D { classes.insert(.astringChar) }
    if isAtomChar || isOne(of: "]%*") || byte >= 0x80 { classes.insert(.listChar) }
    if (isAtomChar || byte == 0x5D) && byte != 0x2B { classes.insert(.tagChar) }
    if byte != 0, byte != 0x0D, byte != 0x0A, byte < 0x80, byte != 0x22, byte != 0x5C { classes.insert(.plainQuoted) }
    if isDigit || byte.asciiLowercased &- 0x61 < 6 { classes.insert(.hexdig) }
    table[index] = classes.rawValue
  }
  return UnsafePointer(table)
}()

extension UInt8 {
  /// True if the byte is in `byteClass` (any of them, where several are given).
  @inline(__always)
  package func isIn(_ byteClass: ByteClass) -> Bool { classTable[Int(self)] & byteClass.rawValue != 0 }

  /// The value of a hexadecimal digit in either case.
  package var hexValue: UInt8? {
    if self &- 0x30 < 10 { return self &- 0x30 }
    let letter = asciiLowercased &- 0x61
    return letter < 6 ? letter &+ 10 : nil
  }
}

extension UnsafeRawBufferPointer {
  /// True if every byte is in `byteClass`. A loop of its own here costs one call a field where `isIn` would cost one a byte.
  package func allAre(in byteClass: ByteClass) -> Bool {
    let table = classTable
    for byte in self where table[Int(byte)] & byteClass.rawValue == 0 { return false }
    return true
  }
}

/// Two digits a byte, in lower case.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The digits of `byte` in upper-case hexadecimal, as quoted-printable and percent-encoding write them.
package func hexDigits(of byte: UInt8) -> (UInt8, UInt8) {
  func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x37 &+ value }
  return (digit(byte >> 4), digit(byte & 0x0F))
}
