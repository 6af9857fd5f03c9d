import Bytes
import MessageFormat

/// Reads the paths of MAIL and RCPT.  RFC 5321 §4.1.2, RFC 6531 §3.3.
///
/// More than the grammar is let through where real mail needs it: local parts with dots in odd places (some mobile
/// carriers hand out `name..x.@…`), and lengths beyond 64 octets (VERP and SRS make them).
struct PathParser {
  /// RFC 5321 §4.5.3.1.3 asks for 256; rewritten senders are longer.
  static let longestPath = 1_024
  static let longestLocalPart = 512
  /// RFC 5321 §4.5.3.1.2.
  static let longestDomain = 255

  let syntax: PathSyntax

  func reversePath(_ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> ReversePath {
    guard let mailbox = try path(&cursor, .reverse) else { return .null }
    guard let domain = mailbox.domain else { throw .invalidPath(.reverse) }
    return .mailbox(EmailAddress(localPart: mailbox.localPart, domain: domain))
  }

  func forwardPath(_ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> ForwardPath {
    guard let mailbox = try path(&cursor, .forward) else { throw .invalidPath(.forward) }
    if let domain = mailbox.domain { return .mailbox(EmailAddress(localPart: mailbox.localPart, domain: domain)) }
    guard mailbox.localPart.lowercased() == "postmaster" else { throw .invalidPath(.forward) }
    return .postmaster
  }

  private typealias Mailbox = (localPart: String, domain: Domain?)

  /// Nil for `<>`.
  private func path(_ cursor: inout ByteCursor, _ direction: PathDirection) throws(SMTPSyntaxError) -> Mailbox? {
    // Outlook and others send a space after `FROM:` and `TO:`.
    while cursor.skip(0x20) {}
    let start = cursor.position
    let bracketed = cursor.skip(UInt8(ascii: "<"))
    if !bracketed, syntax == .strict { throw .missingBrackets(direction) }
    if bracketed, cursor.skip(UInt8(ascii: ">")) { return nil }
    if cursor.peek == UInt8(ascii: "@") {
      // RFC 5321 §4.1.1.3: source routes are accepted and ignored.
      _ = cursor.take { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ">") && $0 > 0x20 }
      guard cursor.skip(UInt8(ascii: ":")) else { throw .invalidPath(direction) }
    }
    guard let localPart = localPart(&cursor) else { throw .invalidPath(direction) }
    var domain: Domain?
    if cursor.skip(UInt8(ascii: "@")) {
      let text = cursor.take { $0 > 0x20 && $0 != UInt8(ascii: ">") && $0 != 0x7F }
      guard !text.isEmpty, text.count <= Self.longestDomain, let text = String(validating: text, as: UTF8.self),
        let parsed = Domain(text)
      else { throw .invalidPath(direction) }
      domain = parsed
    }
    if bracketed, !cursor.skip(UInt8(ascii: ">")) { throw .invalidPath(direction) }
    guard cursor.position - start <= Self.longestPath, cursor.isAtEnd || cursor.peek == 0x20 else {
      throw .invalidPath(direction)
    }
    return (localPart, domain)
  }

  /// `Dot-string / Quoted-string`, its quoting removed.
  private func localPart(_ cursor: inout ByteCursor) -> String? {
    var text: [UInt8] = []
    if cursor.skip(UInt8(ascii: "\"")) {
      while true {
        guard let byte = cursor.next() else { return nil }
        if byte == UInt8(ascii: "\"") { break }
        if byte == UInt8(ascii: "\\") {
          guard let escaped = cursor.next(), escaped >= 0x20, escaped != 0x7F else { return nil }
          text.append(escaped)
        } else if byte >= 0x20, byte != 0x7F {
          text.append(byte)
        } else {
          return nil
        }
      }
    } else {
      text = Array(cursor.take { $0.isIn(.atext) || $0 == UInt8(ascii: ".") })
    }
    guard !text.isEmpty, text.count <= Self.longestLocalPart else { return nil }
    return String(validating: text, as: UTF8.self)
  }
}

/// Which of the two paths an error is about.
package enum PathDirection: Hashable, Sendable {
  case reverse
  case forward
}
