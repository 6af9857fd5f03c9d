import Bytes
import Foundation
import MailStore
import MessageFormat
import TestSupport
import Testing

@testable import IMAPServer

/// What SEARCH finds with the index and what it finds by looking at every message are the same.
@Suite struct SearchIndexTests {
  @Test func `a search finds the same with the index and without`() async throws {
    try await TemporaryStore.with { store in
      try await store.addDomain(Domain("example.test")!)
      let account = try await store.addAccount(EmailAddress("alice@example.test")!, secrets: [], quota: Quota())
      let messages = try Self.messages()
      for (number, message) in messages.enumerated() {
        let stage = store.stageBody(expectedSize: nil)
        try await stage.append(message)
        let prefix = "Return-Path: <sender\(number)@example.test>\r\nReceived: from a by b;\r\n\ttoday (\(number))\r\n"
        let recipient = LocalDelivery(account: account, prefix: Array(prefix.utf8))
        let date = DateTime(timestamp: Timestamp(seconds: 0), offsetMinutes: 0)
        _ = try await store.deliver(try await stage.finish(), to: [recipient], internalDate: date)[0].get()
      }
      await store.searchIndexHasCaughtUp()
      let inbox = try #require(try await store.mailbox(named: .inbox, of: account))
      let index = try await store.index(of: inbox.id)
      let mailbox = SelectedMailbox(
        index: index, access: .readOnly, firstRecent: index.mailbox.firstRecent,
        subscription: store.subscribe(to: account) {})

      var random = RepeatedRandom(seed: 2002)
      var found = 0
      var lookedAt = 0
      var searches = 0
      for _ in 0..<500 {
        let key = Self.key(from: messages, &random)
        let looking = try await SearchEvaluator(key, mailbox, store, now: Timestamp(seconds: 0), usesIndex: false).run()
        let asking = try await SearchEvaluator(key, mailbox, store, now: Timestamp(seconds: 0)).run()
        #expect(asking == looking, "\(key)")
        if let filter = key.filter, let candidates = try await store.candidates(for: filter, in: inbox.id) {
          searches += 1
          found += looking.count
          lookedAt += candidates.count
        }
      }
      // Most questions can be put to it, and it leaves little that is looked at in vain.
      #expect(searches > 350)
      #expect(found > 1_000)
      #expect(lookedAt < found * 3)
    }
  }

  // MARK: Hard mail

  private static func messages() throws -> [[UInt8]] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Corpus")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".eml") }
    return try names.sorted().map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
      + headers.map { Array($0.utf8) }
  }

  /// Headers whose texts are not what stands in them.
  private static let headers = [
    "Subject: bare\rreturn\u{0}and nul\r\nX-Tag: \u{0}one\rtwo\r\n\r\n",
    "Subject: white\r\n \r\n  lines \r\n\t\r\n between\r\nX-Tag:\t\t deep  \r\n \t inside\r\n\r\nbody",
    "X-Tag : before colon\r\nno colon here\r\n begins with space\r\nSubject:no space\r\n\r\n",
    "From: \"Doe, John\" (the (real) one) <john@\"odd\".example>,\r\n =?utf-8?q?J=C3=B6rg?= <joerg@example.org> (home)\r\n"
      + "To: team: a@example.org, B <b@example.org>;, c (comment)\r\nCc: <@relay.example:d@example.org>\r\n\r\n",
    "Subject: =?utf-8?q?" + String(repeating: "long=20", count: 1_200) + "?=\r\n =?utf-8?b?w7w=?=\r\n =?utf-8?b?w58=?=\r\n\r\n",
    "Subject: " + (0..<5_000).map { "word\($0)" }.joined(separator: "\r\n ") + "=?utf-8?q?=C3=BC?=\r\n\r\n",
    "Subject: ＦＵＬＬ　ＷＩＤＴＨ é e\u{301} ß ẞ SS ﬁ ΟΔΟΣ İstanbul a\u{A0}b so\u{AD}ft\r\n\r\n日本語のテキスト\r\n",
    "Subject: = ? =?utf-8?q?=00nul?= \u{FFFD} =?iso-2022-jp?b?GyRCRnxLXDhsGyhC?=\r\n\r\n=?utf-8?q?not=20decoded?=\r\n",
    "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiAAAAYwDkAA==\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n\r\n"
      + String(repeating: "pixels in a line\r\n", count: 400) + "--b\r\nX-Tag: behind\r\n\r\nthe second\r\n--b--\r\n",
  ]

  // MARK: Questions

  /// A piece of a message as a person may know it, or one that is nowhere.
  private static func text(from messages: [[UInt8]], _ random: inout RepeatedRandom) -> [UInt8] {
    if random.below(12) == 0 { return Array(["zyzzyva", "aaaa", "e", "", "..", "日", "\u{0}", "o w"][random.below(8)].utf8) }
    let message = messages[random.below(messages.count)]
    let structure = MessageStructure(parsing: message)
    let bodyStart = structure.root.bodyRange.lowerBound
    let texts = message.withUnsafeBytes { bytes in
      let ranges = MessageText.ranges(of: structure.root)
      let pieces = ranges.flatMap { Array(bytes[$0]) }
      return [MessageText.foldedHeader(UnsafeRawBufferPointer(rebasing: bytes[..<bodyStart]))]
        + MessageText.folded(structure.envelope)
        + pieces.withUnsafeBytes { MessageText.folded(structure.root, $0, at: ranges) }
    }.filter { !$0.isEmpty }
    guard !texts.isEmpty else { return Array("empty".utf8) }
    let scalars = Array(String(decoding: texts[random.below(texts.count)], as: UTF8.self).unicodeScalars)
    let start = random.below(scalars.count)
    let length = [2, 3, 4, 5, 8, 12, 30][random.below(7)]
    return Array(String(String.UnicodeScalarView(scalars[start..<min(start + length, scalars.count)])).utf8)
  }

  private static func key(from messages: [[UInt8]], _ random: inout RepeatedRandom, depth: Int = 0) -> SearchKey {
    let word = CaseFolding.fold(text(from: messages, &random))
    switch random.below(depth < 3 ? 16 : 11) {
    case 0...3: return .text(word)
    case 4, 5: return .body(word)
    case 6: return .subject(word)
    case 7: return .address([.from, .to, .cc, .bcc][random.below(4)], word)
    case 8: return .header(name: Array("x-tag".utf8), word)
    case 9: return .header(name: Array(["subject", "references", "received", "return-path"][random.below(4)].utf8), word)
    case 10:
      // As Apple Mail asks.
      return .or(
        .address(.from, word), .or(.subject(word), .or(.address(.to, word), .or(.address(.cc, word), .body(word)))))
    case 11: return .not(key(from: messages, &random, depth: depth + 1))
    case 12, 13:
      return .and([key(from: messages, &random, depth: depth + 1), key(from: messages, &random, depth: depth + 1)])
    case 14: return .and([.not(.flags(.seen)), key(from: messages, &random, depth: depth + 1)])
    default: return .or(key(from: messages, &random, depth: depth + 1), key(from: messages, &random, depth: depth + 1))
    }
  }
}

/// Random numbers that are the same in every run.
private struct RepeatedRandom {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ mixed >> 31) % UInt64(bound))
  }
}
