import Bytes

/// Why what a server says is no reply. The text is the beginning of the line, made printable, for the log.
package enum ReplySyntaxError: Error, Hashable, Sendable {
  case notAReply(String)
  /// The lines of one reply have different codes, so nobody can tell whether it says yes or no.
  case codesDiffer
  case lineTooLong
  /// More lines or text than any reply has: the server does not mean to come to an end.
  case tooLong
}

/// Puts the lines of a server's reply together.  RFC 5321 §4.2, `Reply-line`.
///
/// A value over lines without their line ends. Whatever it is fed, it keeps no more than `longestText`.
package struct ReplyParser: Sendable {
  /// Octets. RFC 5321 §4.5.3.1.5 grants 512 with the line end; what spam filters explain is longer.
  package static let longestLine = 2_048
  package static let mostLines = 200
  /// Octets of all lines of a reply.
  package static let longestText = 32_768

  private var code: UInt16?
  private var lines: [[UInt8]] = []
  private var textSize = 0

  package init() {}

  /// The reply that `line` completes; nil where more lines belong to it. After an error the dialogue is lost.
  package mutating func take(_ line: [UInt8]) throws(ReplySyntaxError) -> SMTPReply? {
    guard line.count <= Self.longestLine else { throw .lineTooLong }
    guard line.count >= 3, (0x32...0x35).contains(line[0]), line[1] &- 0x30 < 10, line[2] &- 0x30 < 10 else {
      throw .notAReply(printable(line.prefix(80)))
    }
    let code = line[..<3].reduce(UInt16(0)) { $0 * 10 + UInt16($1 &- 0x30) }
    guard self.code == nil || self.code == code else { throw .codesDiffer }
    self.code = code
    // A code alone is a whole line: some servers leave out the space with the text.
    let separator = line.count > 3 ? line[3] : 0x20
    guard separator == 0x20 || separator == 0x2D else { throw .notAReply(printable(line.prefix(80))) }
    textSize += line.count
    guard lines.count < Self.mostLines, textSize <= Self.longestText else { throw .tooLong }
    lines.append(Array(line.dropFirst(4)))
    guard separator == 0x20 else { return nil }
    defer { self = ReplyParser() }
    return reply(code)
  }

  private func reply(_ code: UInt16) -> SMTPReply {
    // RFC 3463 §2: a status whose class is not the code's is a mistake; the code is what decides.
    let status = lines.lazy.compactMap { leadingStatus($0)?.status }.first { $0.category == code / 100 }
    let texts = lines.map { line in
      if let found = leadingStatus(line), found.status == status { return printable(line[found.end...]) }
      return printable(line[...])
    }
    return SMTPReply(code, status, texts)
  }

  /// What a stranger says must not move a cursor or break a line of the log.
  private func printable(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.map { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F ? 0x3F : $0 }, as: UTF8.self)
  }
}

/// The status that a reply's text begins with, and where the text goes on.  RFC 2034 §4.
private func leadingStatus(_ text: [UInt8]) -> (status: EnhancedStatus, end: Int)? {
  var cursor = ByteCursor(text)
  var numbers: [UInt16] = []
  while numbers.count < 3 {
    let digits = cursor.take { $0 &- 0x30 < 10 }
    guard (1...3).contains(digits.count), let number = decimal(digits) else { return nil }
    numbers.append(UInt16(number))
    if numbers.count < 3, !cursor.skip(UInt8(ascii: ".")) { return nil }
  }
  guard [2, 4, 5].contains(numbers[0]), cursor.isAtEnd || cursor.skip(0x20) else { return nil }
  return (EnhancedStatus(numbers[0], numbers[1], numbers[2]), cursor.position)
}
