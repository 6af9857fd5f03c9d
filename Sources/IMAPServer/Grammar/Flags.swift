import Bytes
import MailStore

/// Bounds on what a client may store as keywords.
enum KeywordLimits {
  /// Keywords in one command, and so at most on a message it makes.
  static let perMessage = 64
  /// Octets of one keyword; `$HasNoAttachment` has 16.
  static let length = 100
}

extension ByteCursor {
  /// `flag-list` = "(" [flag *(SP flag)] ")".
  mutating func flagList() throws(IMAPSyntaxError) -> MessageFlags {
    var flags = FlagCollector()
    try list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in try flags.insert(from: &cursor) }
    return flags.flags
  }

  /// `store-att-flags`: a flag list, or flags without parentheses.
  mutating func storeFlags() throws(IMAPSyntaxError) -> MessageFlags {
    if peek == 0x28 { return try flagList() }
    var flags = FlagCollector()
    repeat { try flags.insert(from: &self) } while skip(0x20)
    return flags.flags
  }

  /// `flag-keyword`, as KEYWORD and UNKEYWORD of SEARCH take it.
  mutating func flagKeyword() throws(IMAPSyntaxError) -> Keyword {
    let start = position
    let bytes = try atom()
    guard bytes.count <= KeywordLimits.length else {
      position = start
      throw expected("a keyword of at most \(KeywordLimits.length) octets")
    }
    return Keyword(String(decoding: bytes, as: UTF8.self))
  }
}

private struct FlagCollector {
  var system: SystemFlags = []
  var keywords: Set<Keyword> = []

  mutating func insert(from cursor: inout ByteCursor) throws(IMAPSyntaxError) {
    let start = cursor.position
    guard cursor.skip(0x5C) else {
      keywords.insert(try cursor.flagKeyword())
      guard keywords.count <= KeywordLimits.perMessage else {
        throw cursor.expected("at most \(KeywordLimits.perMessage) keywords")
      }
      return
    }
    switch try cursor.keyword() {
    case "SEEN": system.insert(.seen)
    case "ANSWERED": system.insert(.answered)
    case "FLAGGED": system.insert(.flagged)
    case "DELETED": system.insert(.deleted)
    case "DRAFT": system.insert(.draft)
    // RFC 3501 §2.3.2: a client can't alter \Recent. Some send back what they were shown.
    case "RECENT": break
    default:
      cursor.position = start
      throw cursor.expected("a flag that exists")
    }
  }

  var flags: MessageFlags { MessageFlags(system, keywords: keywords.sorted()) }
}
