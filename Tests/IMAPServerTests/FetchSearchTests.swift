import Bytes
import Foundation
import MailStore
import MessageFormat
import TestSupport
import Testing

@testable import IMAPServer

/// What FETCH shows of hard messages, and what SEARCH finds in them.
private let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Corpus")
private let names = ((try? FileManager.default.contentsOfDirectory(atPath: corpus.path)) ?? [])
  .filter { $0.hasSuffix(".eml") }.map { String($0.dropLast(4)) }.sorted()

private func message(_ name: String) throws -> [UInt8] {
  Array(try Data(contentsOf: corpus.appendingPathComponent(name + ".eml")))
}

/// Reads an IMAP value: balanced lists, strings, literals. Returns nil where the bytes are none.
private struct ValueReader {
  var cursor: ByteCursor

  mutating func value(depth: Int = 0) -> Bool {
    switch cursor.peek {
    case 0x28:
      _ = cursor.next()
      while cursor.peek != 0x29 {
        guard depth < 500, value(depth: depth + 1) else { return false }
        _ = cursor.skip(0x20)
      }
      return cursor.skip(0x29)
    case 0x22: return (try? cursor.quoted()) != nil
    case 0x7B: return (try? cursor.literal()) != nil
    default: return (try? cursor.atom()) != nil
    }
  }
}

@Suite struct FetchSearchTests {
  @Test(arguments: names)
  func structureOfHardMailIsWellFormed(_ name: String) throws {
    let structure = EncodedStructure(MessageStructure(parsing: try message(name)).encoded())
    for isExtended in [true, false] {
      var buffer = ResponseBuffer()
      let isWhole: Void? = structure.read { (reader) throws(StructureReader.Damaged) in
        try reader.skipEnvelope()
        try buffer.appendBody(&reader, isExtended: isExtended)
      }
      #expect(isWhole != nil)
      var reader = ValueReader(cursor: ByteCursor(buffer.bytes))
      #expect(reader.value() && reader.cursor.isAtEnd)
    }
    var buffer = ResponseBuffer()
    let isWhole: Void? = structure.read { (reader) throws(StructureReader.Damaged) in
      try buffer.appendEnvelope(&reader)
    }
    #expect(isWhole != nil)
    var reader = ValueReader(cursor: ByteCursor(buffer.bytes))
    #expect(reader.value() && reader.cursor.isAtEnd)
  }

  /// Every range that a section names lies in the message, and parts are found where the structure has them.
  @Test(arguments: names)
  func sectionsLieInTheMessage(_ name: String) throws {
    let body = try message(name)
    let structure = MessageStructure(parsing: body)
    let content = ContentReference(prefix: Array("Return-Path: <>\r\n".utf8), bodyID: 1, bodySize: body.count)
    let sections = MessageSections(structure, content)
    for first in UInt32(1)...4 {
      for path in [[], [first]] + (UInt32(1)...4).map({ [first, $0] }) + [[first, 1, 1]] {
        for section in [ContentItem.Section.header(path), .text(path), .mime(path), .part(path)] {
          let found = sections.range(of: section)
          #expect(MessageSections.range(of: section, in: EncodedStructure(structure.encoded()), content) == found)
          guard let range = found else { continue }
          #expect(range.lowerBound >= 0 && range.upperBound <= content.size)
        }
      }
    }
    #expect(sections.range(of: .header([]))?.lowerBound == 0)
    #expect(sections.range(of: .text([]))?.upperBound == content.size)
    #expect(sections.part(at: [1]) != nil)
  }

  /// What is asked for and how the reply names it, or nil where it is refused.
  @Test(
    arguments: [
      ("BODY[]", "BODY[]"), ("body.peek[header]", "BODY[HEADER]"), ("BODY[1.2.MIME]", "BODY[1.2.MIME]"),
      ("BODY[TEXT]<5.10>", "BODY[TEXT]<5>"), ("RFC822.TEXT", "RFC822.TEXT"), ("BINARY.SIZE[1.1]", "BINARY.SIZE[1.1]"),
      ("BINARY[]", "BINARY[]"), ("BODY[HEADER.FIELDS (To \"odd name\")]", "BODY[HEADER.FIELDS (To \"odd name\")]"),
      ("BODY[1.HEADER.FIELDS.NOT (a)]<0.1>", "BODY[1.HEADER.FIELDS.NOT (a)]<0>"), ("BODY[", nil), ("BODY[]<1>", nil),
      ("BODY[]<-1.2>", nil), ("BODY[1.]", nil), ("BODY[01.0]", nil), ("BODY[.1]", nil), ("BODY.PEEK", nil),
      ("BINARY", nil),
      ("BINARY[HEADER]", nil), ("RFC822.FOO", nil), ("", nil), ("()", nil), ("(FLAGS", nil), ("(ALL)", nil),
      ("BODY[]<4294967296.1>", nil), ("BODY[HEADER.FIELDS ]", nil), ("BODY[HEADER.FIELDS (a]", nil),
    ] as [(String, String?)])
  func contentItemsAreNamedAsAsked(_ text: String, _ label: String?) {
    var cursor = ByteCursor(Array(text.utf8))
    let items = try? cursor.fetchItems()
    guard let label else {
      #expect(items == nil || !cursor.isAtEnd)
      return
    }
    switch items?.first {
    case .content(let item), .binary(let item), .binarySize(let item):
      #expect(String(decoding: item.label, as: UTF8.self) == label)
      #expect(cursor.isAtEnd)
    default: Issue.record("no content item")
    }
  }

  /// Searches over the whole corpus: program, and the messages it finds.
  @Test func searchesFindWhatIsThere() async throws {
    try await TemporaryStore.with { store in
      try await store.addDomain(Domain("example.test")!)
      let account = try await store.addAccount(
        EmailAddress("alice@example.test")!, secrets: [], quota: Quota())
      for name in names {
        let stage = store.stageBody(expectedSize: nil)
        try await stage.append(message(name))
        let body = try await stage.finish()
        let date = DateTime(timestamp: Timestamp(seconds: 837_596_665), offsetMinutes: -420)
        _ = try await store.append([NewMessage(body: body, internalDate: date)], to: .inbox, of: account)
      }
      let inbox = try #require(try await store.mailbox(named: .inbox, of: account))
      let subscription = store.subscribe(to: account) {}
      let index = try await store.index(of: inbox.id)
      let mailbox = SelectedMailbox(
        index: index, access: .readOnly, firstRecent: index.mailbox.firstRecent, subscription: subscription)
      for (program, expected) in Self.searches {
        var cursor = ByteCursor(Array(" \(program)".utf8))
        let key = try cursor.searchProgram(speaksRev2: false).key
        let found = try await SearchEvaluator(key, mailbox, store, now: Timestamp(seconds: 837_600_000)).run()
        let all = expected == "*" ? names : expected.split(separator: " ").map(String.init)
        #expect(found.map { names[$0] } == all, "\(program)")
      }
    }
  }

  private static let searches: [(String, String)] = [
    ("ALL", "*"), ("NOT ALL", ""), ("TEXT \"\"", "*"), ("SEEN", ""), ("ON 17-Jul-1996", "*"),
    ("BEFORE 17-Jul-1996", ""),
    ("YOUNGER 3335", "*"), ("YOUNGER 3334", ""),
    ("CHARSET UTF-8 SUBJECT grüße", "eight-bit-header encoded-words utf8-headers"),
    ("CHARSET UTF-8 SUBJECT 日本語", "encoded-words"),
    ("CHARSET UTF-8 FROM JØRAN", "eight-bit-header encoded-words utf8-headers"),
    ("TO \"keld jørn simonsen\"", "encoded-words"), ("TO friends", "groups"), ("FROM secretary", ""),
    ("BCC eve@example.com", "groups"), ("CC undisclosed", "groups"), ("HEADER SENDER secretary", "groups"),
    ("CHARSET UTF-8 BODY \"GRÜSSE AUS KÖLN UND BONN\"", "alternative"),
    ("CHARSET UTF-8 BODY \"<p>grüße\"", "alternative"),
    ("BODY \"inner text\"", "message-rfc822"), ("BODY \"the original\"", "message-rfc822"),
    ("BODY Reporting-MTA", "delivery-status"),
    ("BODY iVBORw0KGgo", ""), ("TEXT iVBORw0KGgo", ""), ("BODY preamble", ""), ("TEXT \"r2231@\"", "attachment-2231"),
    ("BODY pdf1@example.org", "attachment-2231"), ("BODY \"the € rates\"", "attachment-2231"),
    ("HEADER X-None \"\"", ""), ("HEADER Message-ID \"\" NOT HEADER DATE \"\"", "folded"),
    ("HEADER REFERENCES two@", "folded"),
    ("SUBJECT \"a subject that\"", "folded"), ("SUBJECT two", ""), ("SUBJECT \"one\" TO b@", "duplicate-fields"),
    ("SENTON 17-Jul-1996 LARGER 700", "attachment-2231 nested"),
    ("OR (SUBJECT nested) (OR BODY kein BODY \"<b>inner\")", "message-rfc822 nested"),
    ("NOT TEXT e", "blank-line-only empty"),
  ]
}
