import Foundation
import MailStore
import MessageFormat
import Testing

@testable import MailTransfer

struct MboxFormatTests {
  @Test(
    arguments: [
      ("From alice@example.org Tue Jul 23 19:39:23 2002 +0300", "23-Jul-2002 19:39:23 +0300"),
      ("From a b  Tue Jul  2 01:02:03 -0700 2002", " 2-Jul-2002 01:02:03 -0700"),
      ("From - Fri Jan  1 00:00 GMT 1999", " 1-Jan-1999 00:00:00 +0000"),
      ("From x Tue Jul 23 19:39:23 2002 +0300 remote from host", "23-Jul-2002 19:39:23 +0300"),
      ("From \"a b\"@c Tue Jul 23 19:39:23 UTC 2002\r", "23-Jul-2002 19:39:23 +0000"),
      ("From maildir-storage.c, line 325:", nil), ("From TODO:", nil), ("From ", nil),
      ("From a Tue Jul 23 2002", nil), ("From a Tue Jul 99 19:39:23 2002", nil),
      ("from a@b Tue Jul 23 19:39:23 2002 +0000", nil), ("From a Tue Jul 23 19:39:23", nil),
    ] as [(String, String?)])
  func `a line begins a message if there is a date in it`(line: String, date: String?) {
    #expect(FromLine(Array(line.utf8)[...])?.date.imap == date)
  }

  @Test func `a line without a zone shows the clock on the wall here`() throws {
    let from = try #require(FromLine(Array("From a@b Tue Jul 23 19:39:23 2002".utf8)[...]))
    #expect(!from.hasZone && from.date.imap.hasPrefix("23-Jul-2002 19:39:23"))
  }

  @Test func `what is written is what is read`() throws {
    let date = DateTime(timestamp: Timestamp(seconds: 1_027_442_363), offsetMinutes: -150)
    let line = FromLine.text(sender: Array("a b@example.org".utf8), date: date)
    #expect(String(decoding: line, as: UTF8.self) == "From ab@example.org Tue Jul 23 14:09:23 2002 -0230\n")
    #expect(FromLine(line.dropLast())?.date == date)
    #expect(FromLine.text(sender: [], date: date).starts(with: "From MAILER-DAEMON ".utf8))
  }

  /// Messages of a file: the text of each, as it goes into the store.
  static func messages(_ text: String) throws -> [(content: String, fields: MboxFields)] {
    let bytes = Array(text.utf8)
    var scanner = MboxScanner(bytes)
    var result: [(String, MboxFields)] = []
    while let found = try scanner.next() {
      let range = Int(found.range.lowerBound)..<Int(found.range.upperBound)
      var whole: [UInt8] = []
      var content = MboxContent(isQuoted: found.isQuoted)
      Array(bytes[range]).withUnsafeBytes { content.read($0, into: &whole) }
      content.finish(into: &whole)
      // The same whatever pieces it comes in.
      var pieces: [UInt8] = []
      var slow = MboxContent(isQuoted: found.isQuoted)
      for byte in bytes[range] { [byte].withUnsafeBytes { slow.read($0, into: &pieces) } }
      slow.finish(into: &pieces)
      #expect(pieces == whole && slow.fields == content.fields)
      result.append((String(decoding: whole, as: UTF8.self), content.fields))
    }
    return result
  }

  private static let from = "From a@b Tue Jul 23 19:39:23 2002 +0000\n"

  @Test(
    arguments: [
      ("", []), ("nothing\n", []), (from, [""]), (from + "\n", [""]), (from + from, ["", ""]),
      (from + "A: b\n\nx\n\n" + from + "C: d\n\ny\n", ["A: b\r\n\r\nx\r\n", "C: d\r\n\r\ny\r\n"]),
      // No empty line before the next, and none at the end.
      (from + "A: b\n\nx\n" + from + "C: d\n\ny", ["A: b\r\n\r\nx\r\n", "C: d\r\n\r\ny"]),
      // Only a line with a date ends a message.
      (from + "A: b\n\nFrom here on\nx\n\n", ["A: b\r\n\r\nFrom here on\r\nx\r\n"]),
      (
        from + "A: b\n\n>From me\n>>From me\n>Fro\n> From\n>>\n\n",
        ["A: b\r\n\r\nFrom me\r\n>From me\r\n>Fro\r\n> From\r\n>>\r\n"]
      ),
      // Content-Length is believed where it leads to another message or the end, and then nothing was quoted.
      (
        from + "Content-Length: 46\n\n>From x\n\(from.dropLast(3))\n\n" + from + "A: b\n\n",
        [">From x\r\n\(from.dropLast(3))\r\n", "A: b\r\n"]
      ),
      (from + "Content-Length: 3\n\nlonger\n\n" + from, ["longer\r\n", ""]),
      (from + "Content-Length: 999\n\nshorter\n", ["shorter\r\n"]),
      (from + "Content-Length: -1\n\nx\n", ["x\r\n"]),
      // CRLF in the file.
      (
        (from + "A: b\n\nx\n\n" + from + "y\n").replacingOccurrences(of: "\n", with: "\r\n"),
        ["A: b\r\n\r\nx\r\n", "y\r\n"]
      ),
    ] as [(String, [String])])
  func `messages are told apart`(text: String, contents: [String]) throws {
    let found = try Self.messages(text).map(\.content)
    #expect(found.map { $0.hasPrefix("\r\n") ? String($0.dropFirst(1)) : $0 } == contents)
  }

  @Test(
    arguments: [
      ("Status: RO\nX-Status: AFDT\n", 31, "", nil, false), ("Status: O\n", 0, "", nil, false),
      ("X-Keywords: Work $Label1  \nX-UID: 12   \n", 0, "$Label1 Work", 12, false),
      ("X-Mozilla-Status: 1007\nX-Mozilla-Status2: 0\nX-Mozilla-Keys: tag1\n", 7, "$Forwarded tag1", nil, false),
      ("X-Mozilla-Status: 0009\n", 1, "", nil, true), ("X-UID: 0\nX-Mozilla-Status: zz\n", 0, "", nil, false),
    ] as [(String, UInt8, String, UInt32?, Bool)])
  func `what readers note in the header is no part of the message`(
    fields: String, system: UInt8, keywords: String, uid: UInt32?, isExpunged: Bool
  ) throws {
    let message = try #require(try Self.messages(Self.from + "A: b\n\(fields)C: d\n\nx\n").first)
    #expect(message.content == "A: b\r\nC: d\r\n\r\nx\r\n")
    #expect(message.fields.flags.system.rawValue == system && message.fields.uid?.rawValue == uid)
    #expect(message.fields.flags.keywords.map(\.text).joined(separator: " ") == keywords)
    #expect(message.fields.isExpunged == isExpunged)
  }

  /// Written and read again, in pieces of every kind.
  @Test(
    arguments: [
      "", "A: b\r\n", "A: b\r\n\r\n", "\r\nbody\r\n", "A: b\r\n\r\nFrom x\r\n>From x\r\n>>> From\r\nFro",
      "From a@b Tue Jul 23 19:39:23 2002\r\nA: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n\r\n\r\n", "A: b\r\n c\r\n\r\n\r\n",
      "no header at all, and no line end", "A: b\r\n\r\nlone \r here",
    ])
  func `a message survives the file`(text: String) throws {
    let date = DateTime(timestamp: Timestamp(seconds: 1_000_000_000), offsetMinutes: 60)
    let flags = MessageFlags([.seen, .flagged], keywords: [Keyword("Work")])
    func written(_ size: Int) -> [UInt8] {
      var output: [UInt8] = []
      var message = MboxMessageText(date: date, fields: Array(MboxFields.text(flags: flags, uid: 7).utf8))
      let bytes = Array(text.utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        Array(bytes[start..<min(start + size, bytes.count)]).withUnsafeBytes { message.append($0, into: &output) }
      }
      message.finish(into: &output)
      return output
    }
    let whole = written(1 << 20)
    for size in 1...5 { #expect(written(size) == whole) }
    let found = try Self.messages(String(decoding: whole + whole, as: UTF8.self))
    // The file ends every message with a line end.
    let expected = text.isEmpty || text.utf8.last == 0x0A ? text : text + "\r\n"
    #expect(found.map(\.content) == [expected, expected])
    #expect(found.allSatisfy { $0.fields.flags == flags && $0.fields.uid == 7 })
  }

  @Test(arguments: ["Sent", ".hidden", "a.mbox", "b.sbd", ".mbox", "x.y", "日本"])
  func `a mailbox's name comes back from its file's`(name: String) {
    var file = String(decoding: MboxFileName.escaped(name), as: UTF8.self)
    #expect(!file.hasPrefix("."))
    for ending in [".mbox", ".mbx", ".sbd"] where file.hasSuffix(ending) { file.removeLast(ending.count) }
    #expect(MboxFileName.unescaped(file) == name)
  }

  @Test(
    arguments: [
      (
        "Received: x; Tue, 23 Jul 2002 19:39:20 +0300\nDate: Mon, 1 Jan 2001 00:00:00 +0000\n\n",
        "23-Jul-2002 19:39:20 +0300"
      ),
      ("Received: x (no date)\nDate: Mon, 1 Jan 2001 00:00:00 +0000\n\n", " 1-Jan-2001 00:00:00 +0000"),
      ("Subject: x\n\nDate: Mon, 1 Jan 2001 00:00:00 +0000\n", nil),
    ] as [(String, String?)])
  func `a header says when its message came`(header: String, date: String?) {
    #expect(headerDate(of: Array(header.utf8))?.imap == date)
  }
}

extension UID: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt32) { self.init(rawValue: value) }
}
