import Bytes
import MailStore
import MessageFormat
import Testing

@testable import IMAPServer

/// What a rule makes of a text, as text: the value and what is left, or nil where it does not match.
private typealias Rule = @Sendable (inout ByteCursor) throws -> String

private func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

private let astring: Rule = { text(try $0.astring()) }
private let nstring: Rule = { (try $0.nstring()).map(text) ?? "<nil>" }
private let atom: Rule = { text(try $0.atom()) }
private let number: Rule = { String(try $0.number()) }
private let nonZero: Rule = { String(try $0.nonZeroNumber()) }
private let number64: Rule = { String(try $0.number64()) }
private let mailbox7: Rule = { describe(try $0.mailbox(.modifiedUTF7)) }
private let mailbox8: Rule = { describe(try $0.mailbox(.utf8)) }
private let listMailbox: Rule = { try $0.listMailbox(.modifiedUTF7) }
private let flags: Rule = { describe(try $0.flagList()) }
private let storeFlags: Rule = { describe(try $0.storeFlags()) }
private let date: Rule = {
  let date = try $0.date()
  return "\(date.year)-\(date.month)-\(date.day) \(date.daysSince1970)"
}
private let dateTime: Rule = { try $0.dateTime().imap }
private let sequenceSet: Rule = { describe(try $0.sequenceSet()) }
private let statusItems: Rule = { try $0.statusItems().map(\.rawValue).joined(separator: " ") }
private let tag: Rule = { text(try $0.tag()) }

private func describe(_ mailbox: MailboxArgument) -> String {
  switch mailbox {
  case .name(let name): name.text
  case .impossible(let text): "impossible " + text
  }
}

private func describe(_ flags: MessageFlags) -> String {
  var buffer = ResponseBuffer()
  buffer.append(flags)
  return text(buffer.bytes)
}

private func describe(_ set: SequenceSet) -> String {
  guard case .ranges(let elements) = set else { return "$" }
  func describe(_ number: SequenceSet.Number) -> String {
    switch number {
    case .number(let value): "\(value)"
    case .last: "*"
    }
  }
  return elements.map { "\(describe($0.first)):\(describe($0.second))" }.joined(separator: ",")
}

private let cases: [(String, Rule, input: String, value: String?, rest: String)] = [
  ("atom", atom, "abc def", "abc", " def"),
  ("atom", atom, "(", nil, "("),
  ("atom", atom, "a]b", "a", "]b"),
  ("tag", tag, "a.1 NOOP", "a.1", " NOOP"),
  ("tag", tag, "+ x", nil, "+ x"),

  ("astring", astring, "abc]d e", "abc]d", " e"),
  ("astring", astring, "\"a \\\"b\\\\ c\" d", "a \"b\\ c", " d"),
  ("astring", astring, "\"\"", "", ""),
  ("astring", astring, "\"open", nil, "\"open"),
  ("astring", astring, "\"ends in \\", nil, "\"ends in \\"),
  ("astring", astring, "{3}\r\na b c", "a b", " c"),
  ("astring", astring, "{3+}\r\na b c", "a b", " c"),
  ("astring", astring, "{0}\r\n", "", ""),
  ("astring", astring, "{4}\r\nabc", nil, "{4}\r\nabc"),
  ("astring", astring, "{99999999999999999999}\r\nabc", nil, "{99999999999999999999}\r\nabc"),
  ("astring", astring, "{2}\r\na\0", nil, "{2}\r\na\0"),
  ("astring", astring, "", nil, ""),
  ("nstring", nstring, "NIL x", "<nil>", " x"),
  ("nstring", nstring, "nil", "<nil>", ""),
  ("nstring", nstring, "\"NIL\"", "NIL", ""),
  ("nstring", nstring, "NILS", nil, "NILS"),

  ("number", number, "0", "0", ""),
  ("number", number, "4294967295,", "4294967295", ","),
  ("number", number, "4294967296", nil, "4294967296"),
  ("number", number, "x", nil, "x"),
  ("nz-number", nonZero, "0", nil, "0"),
  ("nz-number", nonZero, "007", "7", ""),
  ("number64", number64, "9223372036854775807", "9223372036854775807", ""),
  ("number64", number64, "9223372036854775808", nil, "9223372036854775808"),

  ("sequence-set", sequenceSet, "1", "1:1", ""),
  ("sequence-set", sequenceSet, "1:*,7 FLAGS", "1:*,7:7", " FLAGS"),
  ("sequence-set", sequenceSet, "*:4", "*:4", ""),
  ("sequence-set", sequenceSet, "*", "*:*", ""),
  ("sequence-set", sequenceSet, "$", "$", ""),
  ("sequence-set", sequenceSet, "0", nil, "0"),
  ("sequence-set", sequenceSet, "1,", nil, ""),
  ("sequence-set", sequenceSet, "1:", nil, ""),
  ("sequence-set", sequenceSet, "4294967296", nil, "4294967296"),
  ("sequence-set", sequenceSet, "-1", nil, "-1"),

  ("mailbox", mailbox7, "inbox", "INBOX", ""),
  ("mailbox", mailbox7, "Inbox/x", "INBOX/x", ""),
  ("mailbox", mailbox7, "\"INBOX\"", "INBOX", ""),
  ("mailbox", mailbox7, "Entw&APw-rfe", "Entwürfe", ""),
  ("mailbox", mailbox7, "\"a & b\"", "impossible a & b", ""),
  ("mailbox", mailbox7, "\"a &- b\"", "a & b", ""),
  ("mailbox", mailbox7, "Entwürfe", "Entwürfe", ""),
  ("mailbox", mailbox8, "\"a & b\"", "a & b", ""),
  ("mailbox", mailbox8, "&APw-", "&APw-", ""),
  ("mailbox", mailbox7, "foo/", "foo", ""),
  ("mailbox", mailbox7, "foo//bar", "impossible foo//bar", ""),
  ("mailbox", mailbox7, "\"\"", "impossible ", ""),
  ("list-mailbox", listMailbox, "INBOX/% x", "INBOX/%", " x"),
  ("list-mailbox", listMailbox, "\"\"", "", ""),
  ("list-mailbox", listMailbox, "*)", "*", ")"),
  ("list-mailbox", listMailbox, "Entw&APw-*", "Entwü*", ""),

  ("flag-list", flags, "()", "()", ""),
  ("flag-list", flags, "(\\seen \\DELETED $Work junk)", "(\\Deleted \\Seen $Work junk)", ""),
  ("flag-list", flags, "(a A \\Recent)", "(a)", ""),
  ("flag-list", flags, "(\\Nope)", nil, "\\Nope)"),
  ("flag-list", flags, "(\\*)", nil, "*)"),
  ("flag-list", flags, "(\\Seen", nil, ""),
  ("store-att-flags", storeFlags, "\\Seen x", "(\\Seen x)", ""),

  ("date", date, "1-Feb-1994", "1994-2-1 8797", ""),
  ("date", date, "\"01-jan-1970\" x", "1970-1-1 0", " x"),
  ("date", date, "29-FEB-2024", "2024-2-29 19782", ""),
  ("date", date, "32-Jan-2024", nil, "32-Jan-2024"),
  ("date", date, "1-Foo-2024", nil, "1-Foo-2024"),
  ("date", date, "\"1-Jan-2024", nil, "\"1-Jan-2024"),
  ("date-time", dateTime, "\"17-Jul-1996 02:44:25 -0700\"", "17-Jul-1996 02:44:25 -0700", ""),
  ("date-time", dateTime, "\" 7-Jul-1996 02:44:25 -0700\" {", " 7-Jul-1996 02:44:25 -0700", " {"),
  ("date-time", dateTime, "\"nonsense\"", nil, "\"nonsense\""),

  ("status-att", statusItems, "(MESSAGES unseen MESSAGES)", "MESSAGES UNSEEN", ""),
  ("status-att", statusItems, "()", nil, ""),
  ("status-att", statusItems, "(NOPE)", nil, "NOPE)"),
]

@Test(arguments: cases.indices) func `a rule takes what its ABNF says`(_ index: Int) {
  let (name, rule, input, value, rest) = cases[index]
  var cursor = ByteCursor(Array(input.utf8))
  let result = try? rule(&cursor)
  #expect(result == value, "\(name) \(input)")
  #expect(text(cursor.bytes[cursor.position...]) == rest, "\(name) \(input)")
}

private let patterns: [(String, String, matches: [String], misses: [String])] = [
  ("", "*", ["INBOX", "a/b/c"], []),
  ("", "%", ["INBOX", "a"], ["a/b"]),
  ("", "inbox", ["INBOX"], ["INBOX/a", "a"]),
  ("", "Inbox/%", ["INBOX/a"], ["INBOX", "INBOX/a/b"]),
  ("", "inboxes", ["inboxes"], ["INBOX"]),
  ("a/", "%", ["a/b"], ["a", "a/b/c"]),
  ("a/", "*c", ["a/c", "a/b/c"], ["c"]),
  ("", "%/b*", ["a/b", "a/b/c", "a/bc"], ["b", "a/x/b"]),
  ("", "%*%", ["a/b", "a"], []),
  ("", "a*b*c", ["abc", "a/b/c", "aXbYcbc"], ["acb"]),
  ("", String(repeating: "*a", count: 400), [String(repeating: "a", count: 400)], [String(repeating: "a", count: 399)]),
]

@Test(arguments: patterns.indices) func `a pattern matches names`(_ index: Int) {
  let (reference, pattern, matches, misses) = patterns[index]
  let list = ListPattern(reference: reference, pattern: pattern)
  for name in matches { #expect(list.matches(name), "\(pattern) \(name)") }
  for name in misses { #expect(!list.matches(name), "\(pattern) \(name)") }
}

/// Octets, whether the client waits, whether NUL is allowed, octets of the header.
private let literalHeaders: [(String, String?)] = [
  ("a LOGIN {5}", "5 waits text 3"),
  ("a LOGIN {5+}", "5 sends text 4"),
  ("a APPEND x ~{12}", "12 waits binary 5"),
  ("a {000000000000000007}", "7 waits text 20"),
  ("a {99999999999999999999999}", "1099511627776 waits text 25"),
  ("a {}", nil), ("a {+}", nil), ("a {x}", nil), ("a {-1}", nil), ("5}", nil), ("}", nil), ("", nil), ("a {5} ", nil),
]

@Test(arguments: literalHeaders.indices) func `a literal is announced at the end of a line`(_ index: Int) {
  let header = LiteralHeader(endOf: Array(literalHeaders[index].0.utf8)).map { header in
    "\(header.count) \(header.isSynchronizing ? "waits" : "sends") "
      + "\(header.isBinary ? "binary" : "text") \(header.length)"
  }
  #expect(header == literalHeaders[index].1)
}

private let strings: [(String, Bool, String)] = [
  ("plain", false, "\"plain\""),
  ("with \"quotes\" and \\", false, "\"with \\\"quotes\\\" and \\\\\""),
  ("two\r\nlines", false, "{10}\r\ntwo\r\nlines"),
  ("grün", false, "{5}\r\ngrün"),
  ("grün", true, "\"grün\""),
  ("", false, "\"\""),
]

@Test(arguments: strings.indices) func `a string is quoted where that can hold it`(_ index: Int) {
  var buffer = ResponseBuffer()
  buffer.allowsUTF8 = strings[index].1
  buffer.append(string: Array(strings[index].0.utf8))
  #expect(text(buffer.bytes) == strings[index].2)
}

private let uidSets: [([UInt32], String)] = [
  ([1], "1"), ([1, 2, 3], "1:3"), ([1, 3, 4, 9], "1,3:4,9"), ([5, 4, 6, 7], "5,4,6:7"), ([4_294_967_295], "4294967295"),
]

@Test(arguments: uidSets.indices) func `UIDs in a row are written as a range`(_ index: Int) {
  var buffer = ResponseBuffer()
  buffer.append(uidSet: uidSets[index].0.map { UID(rawValue: $0) })
  #expect(text(buffer.bytes) == uidSets[index].1)
}

@Test func `every command has one line in the table`() {
  let names = IMAPCommandTable.facts.map(\.name)
  #expect(Set(names).count == names.count)
  for name in names { #expect(IMAPCommandTable.fact(named: name)?.name == name) }
}

private let messageSets: [([Range<Int>], [Int])] = [
  ([], []), ([0..<0, 5..<5], []), ([0..<3], [0, 1, 2]), ([4..<6, 0..<1], [0, 4, 5]),
  ([0..<3, 1..<2, 2..<5], [0, 1, 2, 3, 4]), ([0..<2, 2..<4], [0, 1, 2, 3]),
]

@Test(arguments: messageSets.indices) func `a set of messages ascends and has no doubles`(_ index: Int) {
  let (ranges, indices) = messageSets[index]
  let set = MessageSet(unordered: ranges)
  #expect(Array(set.indices) == indices)
  #expect(set.count == indices.count)
  #expect(set.ranges == MessageSet(ascending: indices).ranges)
  #expect((0..<8).filter { set.contains($0) } == indices)
  for size in 1...6 {
    var groups = set.indices
    var taken: [Int] = []
    while case let group = groups.next(size), !group.isEmpty { taken += group }
    #expect(taken == indices, "in groups of \(size)")
  }
}
