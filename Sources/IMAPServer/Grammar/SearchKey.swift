import Bytes
import MailStore
import MessageFormat

/// `search-key`.  RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032.
///
/// Texts are UTF-8 and folded as `CaseFolding` does, ready to be looked for.
indirect enum SearchKey: Hashable, Sendable {
  case all
  case flags(SystemFlags)
  case keyword(Keyword)
  case recent
  /// Sequence numbers or `$`.
  case messages(SequenceSet)
  case uids(SequenceSet)
  /// The internal date, without regard to time and zone.
  case received(DateRelation, CalendarDate)
  /// The Date field, without regard to time and zone.
  case sent(DateRelation, CalendarDate)
  case larger(Int64)
  case smaller(Int64)
  /// Seconds before now.  RFC 5032.
  case older(Int64)
  case younger(Int64)
  case subject([UInt8])
  case address(AddressField, [UInt8])
  case header(name: [UInt8], [UInt8])
  case body([UInt8])
  /// Header or body.
  case text([UInt8])
  /// All of them; every message if there is none.
  case and([SearchKey])
  case or(SearchKey, SearchKey)
  case not(SearchKey)

  enum DateRelation: Hashable, Sendable {
    case before
    case on
    case since
  }

  enum AddressField: Hashable, Sendable {
    case from
    case to
    case cc
    case bcc
  }
}

/// What `SEARCH` is asked: how to answer, and for which messages.
struct SearchProgram: Hashable, Sendable {
  /// Nil: the untagged SEARCH of IMAP4rev1.  RFC 4731.
  var options: SearchReturnOptions?
  var key: SearchKey
  /// The strings are in a charset that is not known here.
  var hasUnknownCharset = false
}

/// `search-return-opt`.  RFC 9051 §6.4.4, RFC 5182.
struct SearchReturnOptions: OptionSet, Hashable, Sendable {
  let rawValue: UInt8
  static let min = SearchReturnOptions(rawValue: 1)
  static let max = SearchReturnOptions(rawValue: 2)
  static let all = SearchReturnOptions(rawValue: 4)
  static let count = SearchReturnOptions(rawValue: 8)
  static let save = SearchReturnOptions(rawValue: 16)
}

private enum SearchLimits {
  /// Parentheses, NOT and OR inside one another; evaluation recurses as deep.
  static let depth = 100
}

extension ByteCursor {
  /// `search-program` with its return options, from the space before them up to the end.
  mutating func searchProgram(speaksRev2: Bool) throws(IMAPSyntaxError) -> SearchProgram {
    try expectSpace()
    // RFC 9051 §6.4.4: an IMAP4rev2 client always gets ESEARCH.
    var options: SearchReturnOptions? = speaksRev2 ? .all : nil
    if skip(atom: "RETURN") {
      try expectSpace()
      options = try searchReturnOptions()
      try expectSpace()
    }
    var charset: [UInt8] = []
    if skip(atom: "CHARSET") {
      try expectSpace()
      charset = try astring()
      try expectSpace()
    }
    var parser = SearchKeyParser(charset: charset)
    var keys: [SearchKey] = []
    repeat { keys.append(try parser.key(&self, depth: 0)) } while skipSpaceBeforeMore()
    try expectEnd()
    return SearchProgram(options: options, key: .all(of: keys), hasUnknownCharset: parser.hasUnknownCharset)
  }

  private mutating func skipSpaceBeforeMore() -> Bool {
    guard peek == 0x20 else { return false }
    while skip(0x20) {}
    return !isAtEnd
  }

  private mutating func searchReturnOptions() throws(IMAPSyntaxError) -> SearchReturnOptions {
    var options: SearchReturnOptions = []
    try list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
      let start = cursor.position
      switch try cursor.keyword() {
      case "MIN": options.insert(.min)
      case "MAX": options.insert(.max)
      case "ALL": options.insert(.all)
      case "COUNT": options.insert(.count)
      case "SAVE": options.insert(.save)
      default:
        cursor.position = start
        throw cursor.expected("MIN, MAX, ALL, COUNT or SAVE")
      }
    }
    // RFC 4731 §3.1: an empty list is ALL.
    return options.isEmpty ? .all : options
  }
}

extension SearchKey {
  static func all(of keys: [SearchKey]) -> SearchKey {
    keys.count == 1 ? keys[0] : .and(keys.sorted { $0.source < $1.source })
  }
}

private struct SearchKeyParser {
  let charset: [UInt8]
  var hasUnknownCharset = false

  mutating func key(_ cursor: inout ByteCursor, depth: Int) throws(IMAPSyntaxError) -> SearchKey {
    guard depth < SearchLimits.depth else { throw cursor.expected("a search that is less deep") }
    if cursor.peek == 0x28 {
      try cursor.expectOpen()
      while cursor.skip(0x20) {}
      var keys: [SearchKey] = []
      repeat {
        keys.append(try key(&cursor, depth: depth + 1))
        while cursor.skip(0x20) {}
      } while cursor.peek != 0x29 && !cursor.isAtEnd
      try cursor.expectClose()
      return .all(of: keys)
    }
    if cursor.isAtSequenceSet { return .messages(try cursor.sequenceSet()) }

    let start = cursor.position
    let name = String(decoding: cursor.take { $0.isIn(.alpha) }.asciiUppercased, as: UTF8.self)
    switch name {
    case "ALL": return .all
    case "ANSWERED": return .flags(.answered)
    case "DELETED": return .flags(.deleted)
    case "DRAFT": return .flags(.draft)
    case "FLAGGED": return .flags(.flagged)
    case "SEEN": return .flags(.seen)
    case "UNANSWERED": return .not(.flags(.answered))
    case "UNDELETED": return .not(.flags(.deleted))
    case "UNDRAFT": return .not(.flags(.draft))
    case "UNFLAGGED": return .not(.flags(.flagged))
    case "UNSEEN": return .not(.flags(.seen))
    case "RECENT": return .recent
    case "NEW": return .and([.recent, .not(.flags(.seen))])
    case "OLD": return .not(.recent)
    case "NOT":
      try cursor.expectSpace()
      return .not(try key(&cursor, depth: depth + 1))
    case "OR":
      try cursor.expectSpace()
      let first = try key(&cursor, depth: depth + 1)
      try cursor.expectSpace()
      let second = try key(&cursor, depth: depth + 1)
      return first.source <= second.source ? .or(first, second) : .or(second, first)
    case "KEYWORD", "UNKEYWORD":
      try cursor.expectSpace()
      let keyword = try cursor.searchFlag()
      return name == "KEYWORD" ? keyword : .not(keyword)
    case "UID":
      try cursor.expectSpace()
      return .uids(try cursor.sequenceSet())
    case "BEFORE": return .received(.before, try date(&cursor))
    case "ON": return .received(.on, try date(&cursor))
    case "SINCE": return .received(.since, try date(&cursor))
    case "SENTBEFORE": return .sent(.before, try date(&cursor))
    case "SENTON": return .sent(.on, try date(&cursor))
    case "SENTSINCE": return .sent(.since, try date(&cursor))
    case "LARGER": return .larger(try number(&cursor))
    case "SMALLER": return .smaller(try number(&cursor))
    case "OLDER": return .older(try number(&cursor))
    case "YOUNGER": return .younger(try number(&cursor))
    case "SUBJECT": return .subject(try text(&cursor))
    case "FROM": return .address(.from, try text(&cursor))
    case "TO": return .address(.to, try text(&cursor))
    case "CC": return .address(.cc, try text(&cursor))
    case "BCC": return .address(.bcc, try text(&cursor))
    case "BODY": return .body(try text(&cursor))
    case "TEXT": return .text(try text(&cursor))
    case "HEADER":
      try cursor.expectSpace()
      let name = try cursor.astring()
      return .header(name: name.asciiLowercased, try text(&cursor))
    default:
      cursor.position = start
      throw cursor.expected("a search key")
    }
  }

  private func date(_ cursor: inout ByteCursor) throws(IMAPSyntaxError) -> CalendarDate {
    try cursor.expectSpace()
    return try cursor.date()
  }

  private func number(_ cursor: inout ByteCursor) throws(IMAPSyntaxError) -> Int64 {
    try cursor.expectSpace()
    return try cursor.number64()
  }

  private mutating func text(_ cursor: inout ByteCursor) throws(IMAPSyntaxError) -> [UInt8] {
    try cursor.expectSpace()
    let text = CharsetDecoder.decode(try cursor.astring(), charset: charset)
    if !text.isKnown { hasUnknownCharset = true }
    return CaseFolding.fold(text.text)
  }
}

extension ByteCursor {
  /// `flag-keyword`. System flags are no keywords, but some clients ask for `KEYWORD \Seen`.
  fileprivate mutating func searchFlag() throws(IMAPSyntaxError) -> SearchKey {
    guard skip(0x5C) else { return .keyword(try flagKeyword()) }
    switch try keyword() {
    case "SEEN": return .flags(.seen)
    case "ANSWERED": return .flags(.answered)
    case "FLAGGED": return .flags(.flagged)
    case "DELETED": return .flags(.deleted)
    case "DRAFT": return .flags(.draft)
    case "RECENT": return .recent
    default: throw expected("a keyword")
    }
  }
}
