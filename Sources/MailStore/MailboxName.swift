import MessageFormat

/// A mailbox's place in the hierarchy: levels joined by `/`, NFC UTF-8, `INBOX` in upper case wherever it is the first
/// level.
package struct MailboxName: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  /// Limits against names that no client can show.
  private static let octetLimit = 1_000
  private static let levelLimit = 50

  /// Checks and normalises: no empty level, no control characters, no `%` or `*`, at most 1,000 octets and 50 levels.
  package init?(_ text: String) {
    guard !text.isEmpty, text.utf8.count <= Self.octetLimit else { return nil }
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFFFD, 0xFEFF: return nil
      default: if scalar == "%" || scalar == "*" { return nil }
      }
    }
    var levels = text.nfc.split(separator: Self.separator, omittingEmptySubsequences: false)
    guard levels.count <= Self.levelLimit, levels.allSatisfy({ !$0.isEmpty }) else { return nil }
    // RFC 9051 §5.1: INBOX is case-insensitive, and so is the level that its children hang from.
    if levels[0].utf8.count == 5, levels[0].uppercased() == "INBOX" { levels[0] = "INBOX" }
    let name = levels.joined(separator: "/")
    guard name.utf8.count <= Self.octetLimit else { return nil }
    self.text = name
  }

  /// A name that was checked when it was stored.
  init(stored text: String) { self.text = text }

  package static let inbox = MailboxName(stored: "INBOX")
  package static let separator: Character = "/"

  package var isInbox: Bool { text == "INBOX" }
  package var parent: MailboxName? {
    text.utf8.lastIndex(of: UInt8(ascii: "/")).map { MailboxName(stored: String(text[..<$0])) }
  }
  package var description: String { text }

  /// True if the name is somewhere below `ancestor`.
  package func isInferior(to ancestor: MailboxName) -> Bool {
    text.utf8.count > ancestor.text.utf8.count + 1 && text.utf8.starts(with: "\(ancestor.text)/".utf8)
  }

  /// By bytes, so that the order is the database's and the same everywhere.
  package static func < (left: Self, right: Self) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }
}
