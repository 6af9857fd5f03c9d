import Foundation
import MessageFormat
import SQLite
import Testing

@testable import MailStore

struct SearchIndexTests {
  /// What the index leaves of INBOX for a text; nil where it can't tell.
  private func candidates(_ text: String, _ fixture: StoreFixture, of account: AccountID) async throws -> [UInt32]? {
    let inbox = try await fixture.inbox(of: account)
    let filter = SearchFilter.contains(CaseFolding.fold(Array(text.utf8)))
    return try await fixture.store.candidates(for: filter, in: inbox.id)?.map(\.rawValue)
  }

  /// New messages wait for ever, unless a test waits for the index.
  private static func waiting(_ options: inout StoreOptions) { options.searchIndexDelay = .seconds(86_400) }

  @Test func `only messages that may have the text come into question`() async throws {
    try await StoreFixture.with(options: Self.waiting) { fixture in
      let alice = try await fixture.addAccount()
      let bob = try await fixture.addAccount("bob")
      try await fixture.append(mail("Apples", body: "Über Zürich nach 日本語\r\n"), of: alice)
      try await fixture.append(mail("Pears", body: "order 10.1.2.3 by jane.doe@example.org\r\n"), of: alice)
      try await fixture.append(mail("Apples", body: "of Bob\r\n"), of: bob)
      let both = NewMessage(body: try await fixture.stage(mail("Plums")), internalDate: StoreFixture.date)
      _ = try await fixture.store.append([both], to: .inbox, of: alice)
      await fixture.store.searchIndexHasCaughtUp()
      let table: [(String, [UInt32]?)] = [
        ("apples", [1]), ("APPL", [1]), ("pple", [1]), ("plums", [3]), ("grapes", []), ("zÜRICH", [1]),
        ("日本", [1]), ("本", [1]), ("中", []), ("10.1.2", [2]), ("10.1.3", []), ("doe@exam", [2]), ("ea", [2]),
        ("subject: pears", [2]), ("order 10.1.2.3 by", [2]), ("orders", []), ("e", nil), ("", nil), (" \u{0}:", nil),
      ]
      for (text, expected) in table {
        #expect(try await candidates(text, fixture, of: alice) == expected, "\(text)")
      }
      #expect(try await candidates("apples", fixture, of: bob) == [1])
      // One message, known by another UID in another mailbox.
      let inbox = try await fixture.inbox(of: alice)
      _ = try await fixture.store.createMailbox("Fruit", specialUse: nil, of: alice)
      _ = try await fixture.store.move([3, 1], from: inbox.id, to: "Fruit", of: alice)
      let fruit = try #require(try await fixture.store.mailbox(named: "Fruit", of: alice))
      let plums = SearchFilter.contains(Array("plums".utf8))
      let apples = SearchFilter.contains(Array("apples".utf8))
      let pears = SearchFilter.contains(Array("pears".utf8))
      func found(_ filter: SearchFilter) async throws -> [UID]? {
        try await fixture.store.candidates(for: filter, in: fruit.id)
      }
      #expect(try await found(plums) == [2])
      #expect(try await found(.any([plums, apples, pears])) == [1, 2])
      #expect(try await found(.all([plums, apples])) == [])
      #expect(try await found(.any([plums, .contains([0x65])])) == nil)
      #expect(try await found(.all([plums, .contains([0x65])])) == [2])
      #expect(try await fixture.store.candidates(for: apples, in: MailboxID(rawValue: 999)) == nil)
    }
  }

  @Test func `what is not in the index yet comes into question`() async throws {
    try await StoreFixture.with(options: Self.waiting) { fixture in
      let alice = try await fixture.addAccount()
      #expect(try await fixture.store.searchIndexState().condition == .current)
      try await fixture.append(mail("one"), of: alice)
      #expect(try await candidates("nothing", fixture, of: alice) ?? [1] == [1])
      await fixture.store.searchIndexHasCaughtUp()
      #expect(try await candidates("nothing", fixture, of: alice) == [])
      try await fixture.append(mail("two"), of: alice)
      #expect(try await candidates("nothing", fixture, of: alice) == [2])
      var state = try await fixture.store.searchIndexState()
      #expect(state.condition == .behind && state.indexedMessages == 1 && state.waitingMessages == 1)
      await fixture.store.searchIndexHasCaughtUp()
      #expect(try await candidates("two", fixture, of: alice) == [2])
      state = try await fixture.store.searchIndexState()
      #expect(state.condition == .current && state.indexedMessages == 2 && state.waitingMessages == 0)
      #expect(state.size > 0)
      // A crash takes nothing, and what came after the last turn of the index is in the next.
      try await fixture.append(mail("three"), of: alice)
      let copy = try await fixture.reopenedCopy(options: Self.waiting)
      await copy.store.searchIndexHasCaughtUp()
      #expect(try await candidates("three", copy, of: alice) == [3])
      #expect(try await copy.store.searchIndexState().indexedMessages == 3)
      try await copy.end()
    }
  }

  @Test func `a message with too much text is looked at in every search`() async throws {
    try await StoreFixture.with(options: Self.waiting) { fixture in
      let alice = try await fixture.addAccount()
      let line = String(repeating: "x", count: 76) + "\r\n"
      try await fixture.append(mail("long", body: String(repeating: line, count: 60_000)), of: alice)
      // The same size, but it is no text.
      let image = mail("image", body: String(repeating: line, count: 60_000))
        .replacing("Subject:", with: "Content-Type: image/png\r\nSubject:")
      try await fixture.append(image, of: alice)
      var random = SplitMix(state: 7)
      let noise = (0..<100_000).map { _ in String(random.next(), radix: 36) }.joined(separator: " ")
      try await fixture.append(mail("noise", body: noise), of: alice)
      try await fixture.append(mail("cut\u{0}off", body: "be\u{0}hind\r\n\u{0}there\r\n"), of: alice)
      await fixture.store.searchIndexHasCaughtUp()
      #expect(try await candidates("nothing", fixture, of: alice) == [1, 3])
      #expect(try await candidates("hind", fixture, of: alice) == [1, 3, 4])
      #expect(try await candidates("there", fixture, of: alice) == [1, 3, 4])
      #expect(try await candidates("image", fixture, of: alice) == [1, 2, 3])
      #expect(try await fixture.store.searchIndexState().unlistedMessages == 2)
    }
  }

  enum Damage: CaseIterable {
    case missing, noDatabase, insides, otherVersion, otherStore, newerThanStore, unreadableMessage
  }

  @Test(arguments: Damage.allCases)
  func `a file that is of no use is made anew`(damage: Damage) async throws {
    let fixture = try await StoreFixture.make(options: Self.waiting)
    try await fixture.store.addDomain(StoreFixture.domain)
    let alice = try await fixture.addAccount()
    for number in 0..<40 {
      try await fixture.append(mail("number \(number)", body: String(repeating: "word\(number) ", count: 40)), of: alice)
    }
    let early = fixture.path + "-early"
    if damage == .newerThanStore {
      await fixture.store.close()
      try FileManager.default.copyItem(atPath: fixture.path, toPath: early)
    }
    let full = damage == .newerThanStore ? try await StoreFixture.make(path: fixture.path, options: Self.waiting) : fixture
    if damage == .newerThanStore { for _ in 0..<3 { try await full.append(mail("later"), of: alice) } }
    await full.store.searchIndexHasCaughtUp()
    #expect(try await candidates("word17", full, of: alice) == [18])
    await full.store.close()

    let file = URL(fileURLWithPath: fixture.path + "/search.db")
    switch damage {
    case .missing: try FileManager.default.removeItem(at: file)
    case .noDatabase: try Data(repeating: 0x55, count: 10_000).write(to: file)
    case .insides:
      var bytes = try Data(contentsOf: file)
      for page in 2..<bytes.count / 4_096 { bytes.replaceSubrange(page * 4_096..<page * 4_096 + 64, with: Data(count: 64)) }
      try bytes.write(to: file)
    case .otherVersion: try change(file, "PRAGMA user_version = 7")
    case .otherStore: try change(file, "UPDATE state SET value = 4711 WHERE name = 'store'")
    case .newerThanStore:
      try FileManager.default.copyItem(atPath: file.path, toPath: early + "/search.db")
      try FileManager.default.removeItem(atPath: fixture.path)
      try FileManager.default.moveItem(atPath: early, toPath: fixture.path)
    case .unreadableMessage:
      try FileManager.default.removeItem(at: file)
      try FileManager.default.removeItem(atPath: fixture.path + "/packs/1.pack")
    }
    let again = try await StoreFixture.make(path: fixture.path, options: Self.waiting)
    // Whatever is known of the damage by now, nothing is left out.
    #expect(try await candidates("word17", again, of: alice)?.contains(18) ?? true)
    await again.store.searchIndexHasCaughtUp()
    _ = try await candidates("word17", again, of: alice)
    await again.store.searchIndexHasCaughtUp()
    if damage == .unreadableMessage {
      #expect(try await candidates("word17", again, of: alice) == Array(1...40))
      await again.store.close()
      try FileManager.default.removeItem(atPath: fixture.path)
    } else {
      #expect(try await candidates("word17", again, of: alice) == [18])
      try await again.end()
    }
  }

  private func change(_ file: URL, _ sql: String) throws {
    let database = try Database(path: file.path, access: .writing)
    try database.execute(sql)
  }

  @Test func `the index is made anew while it is used`() async throws {
    try await StoreFixture.with(options: Self.waiting) { fixture in
      let alice = try await fixture.addAccount()
      for number in 0..<200 { try await fixture.append(mail("number \(number)", body: "word\(number)."), of: alice) }
      await fixture.store.searchIndexHasCaughtUp()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask {
            let found = try await candidates("word\(number).", fixture, of: alice)
            #expect(found?.contains(UInt32(number + 1)) ?? true)
          }
          if number % 40 == 0 { group.addTask { await fixture.store.rebuildSearchIndex() } }
        }
        try await group.waitForAll()
      }
      #expect(try await candidates("word117.", fixture, of: alice) == [118])
      let state = try await fixture.store.searchIndexState()
      #expect(state.condition == .current && state.indexedMessages == 200)
    }
  }

  /// Whatever a text is made of: each piece of it requires only grams that it has.
  @Test func `a text has the grams that its pieces require`() {
    let alphabet: [Character] = Array("aaabbc.@-_ :\r\n\u{0}\"(12äéß日本語한\u{301}😀\u{FFFF}")
    var random = SplitMix(state: 1)
    for _ in 0..<2_000 {
      let text = Array(String((0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }).unicodeScalars)
      var grams = SearchGrams()
      grams.add(Array(String(String.UnicodeScalarView(text)).utf8))
      let present = Set(grams.bytes.split(separator: 0x20))
      #expect(present.count == grams.count)
      for _ in 0..<10 where !text.isEmpty {
        let start = random.below(text.count)
        let end = start + random.below(text.count - start) + 1
        let piece = Array(String(String.UnicodeScalarView(text[start..<end])).utf8)
        for gram in SearchGrams.required(by: piece, limit: 8) {
          let isThere =
            gram.isBeginning ? present.contains { $0.starts(with: gram.bytes) } : present.contains(gram.bytes[...])
          #expect(isThere, "\(gram) of \(piece) in \(text)")
        }
      }
    }
  }

  @Test func `a question has bounds`() {
    var deep = SearchFilter.contains(Array("word".utf8))
    for _ in 0..<50 { deep = .all([deep, .any([deep, .contains(Array("other".utf8))])]) }
    _ = deep.expression
    let wide = SearchFilter.any((0..<5_000).map { .contains(Array("word\($0)".utf8)) })
    #expect(wide.expression == nil)
    let many = SearchFilter.all((0..<5_000).map { .contains(Array("word\($0)".utf8)) })
    #expect((many.expression?.utf8.count ?? 0) < 10_000)
    let same = SearchFilter.any((0..<5).map { _ in .contains(Array("word".utf8)) })
    #expect(same.expression == #""word""#)
  }
}

/// Random numbers that are the same in every run.
private struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
