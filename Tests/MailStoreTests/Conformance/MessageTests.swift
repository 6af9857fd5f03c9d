import MailStore
import MessageFormat
import Testing

@Suite(.everyEngine) struct MessageTests {
  @Test func `what is appended is read back, byte for byte, with its facts`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let flags = MessageFlags([.seen, .flagged], keywords: [Keyword("b"), Keyword("A"), Keyword("B")])
      let uid = try await fixture.append(mail("one"), of: alice, flags: flags)
      #expect(uid == 1)
      let inbox = try await fixture.inbox(of: alice)
      #expect(
        (inbox.uidNext, inbox.messageCount, inbox.unseenCount, inbox.size) == (2, 1, 0, Int64(mail("one").utf8.count)))
      let entry = try await fixture.store.entries(in: inbox.id, uids: [1]).first!
      #expect(entry.flags == MessageFlags([.seen, .flagged], keywords: [Keyword("A"), Keyword("b")]))
      #expect(entry.flags.keywords.map(\.text) == ["A", "b"])
      #expect(entry.internalDate == StoreFixture.date)
      #expect(entry.threadID == entry.emailID)
      #expect(try await fixture.text(uid, in: inbox.id) == mail("one"))
      let structure = try await fixture.store.structures(of: [entry.content])[0]
      #expect(structure.envelope.subject == Array("one".utf8))
      #expect(try await fixture.store.quotaUsage(of: alice) == QuotaUsage(bytes: inbox.size, messages: 1))
      // Ranges over prefix and body are clamped.
      #expect(try await fixture.store.read(entry.content, range: 6..<9) == Array("a@e".utf8))
      #expect(try await fixture.store.read(entry.content, range: 100_000..<200_000) == [])
    }
  }

  @Test(arguments: [
    (10, 64, 1 << 20), (5_000, 64, 1_000), (200_000, 7_000, 1_000), (200_000, 50_000, 300_000), (0, 1, 10),
  ])
  func `bodies of any size in any budget`(size: Int, budget: Int, threshold: Int) async throws {
    try await StoreFixture.with {
      $0.stagingBudget = budget
      $0.largeBodyThreshold = threshold
    } _: { fixture in
      let alice = try await fixture.addAccount()
      let line = "0123456789abcdefghijklmnopqrstuvwxyz 0123456789\r\n"
      let text = size == 0 ? "" : mail("big", body: String(repeating: line, count: max(1, size / line.utf8.count)))
      let body = try await fixture.stage(Array(text.utf8), chunk: 3_000)
      #expect(body.size == text.utf8.count)
      #expect(String(decoding: body.head, as: UTF8.self).hasPrefix(size == 0 ? "" : "From: a@example.test"))
      let results = await fixture.store.deliver(
        body, to: [LocalDelivery(account: alice, prefix: Array("X: y\r\n".utf8))], internalDate: StoreFixture.date)
      #expect(try results[0].get().uids == [1])
      let inbox = try await fixture.inbox(of: alice)
      #expect(try await fixture.text(1, in: inbox.id) == "X: y\r\n" + text)
      let crashed = try await fixture.reopenedCopy()
      #expect(try await crashed.text(1, in: inbox.id) == "X: y\r\n" + text)
      try await crashed.end()
    }
  }

  @Test func `one delivery reaches many, and fails alone for one over quota`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount("alice")
      let bob = try await fixture.addAccount("bob", quota: Quota(bytes: 20))
      let carol = try await fixture.addAccount("carol", quota: Quota(messages: 1))
      let body = try await fixture.stage(mail("for all"))
      let recipients = [
        LocalDelivery(account: alice, prefix: Array("Delivered-To: alice\r\n".utf8)),
        LocalDelivery(account: bob, prefix: []),
        LocalDelivery(account: carol, mailbox: "Lists/swift", prefix: [], flags: MessageFlags(.seen)),
        LocalDelivery(account: carol, prefix: []),
        LocalDelivery(account: AccountID(rawValue: 999), prefix: []),
      ]
      let results = await fixture.store.deliver(body, to: recipients, internalDate: StoreFixture.date)
      #expect(try results[0].get().uids == [1])
      #expect(throws: StoreError.overQuota) { try results[1].get() }
      #expect(try results[2].get().uids == [1])
      #expect(throws: StoreError.overQuota) { try results[3].get() }
      #expect(throws: StoreError.accountNotFound) { try results[4].get() }
      let lists = try await fixture.store.mailbox(named: "Lists/swift", of: carol)
      #expect(lists?.messageCount == 1 && lists?.unseenCount == 0)
      #expect(try await fixture.store.mailbox(named: "Lists", of: carol)?.isSelectable == true)
      let mine = try await fixture.store.entries(in: try results[0].get().mailbox, uids: [1])[0]
      let hers = try await fixture.store.entries(in: lists!.id, uids: [1])[0]
      #expect(mine.content.bodyID == hers.content.bodyID)
      #expect(mine.size == hers.size + 21)
    }
  }

  @Test func `flags change with mod-sequences, counters and conditions`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      for number in 1...5 { try await fixture.append(mail("\(number)"), of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      let before = inbox.highestModSequence
      let first = try await fixture.store.changeFlags(
        in: inbox.id, uids: [2, 4, 99, 2], .add(MessageFlags(.deleted, keywords: [Keyword("$Junk")])),
        unchangedSince: nil)
      #expect(first.states.map(\.uid) == [2, 4])
      #expect(first.states.allSatisfy { $0.modSequence > before })
      // Nothing changes: no new mod-sequence.
      let again = try await fixture.store.changeFlags(
        in: inbox.id, uids: [2], .add(MessageFlags(.deleted, keywords: [Keyword("$junk")])), unchangedSince: nil)
      #expect(again.states == [first.states[0]])
      let conditional = try await fixture.store.changeFlags(
        in: inbox.id, uids: [1, 2], .replace(MessageFlags(.seen)), unchangedSince: before)
      #expect(conditional.modified == [2])
      #expect(conditional.states.map(\.uid) == [1])
      let removed = try await fixture.store.changeFlags(
        in: inbox.id, uids: [4], .remove(MessageFlags(.deleted, keywords: [Keyword("$JUNK")])), unchangedSince: nil)
      #expect(removed.states[0].flags == MessageFlags())
      let after = try await fixture.inbox(of: alice)
      #expect((after.unseenCount, after.deletedCount) == (4, 1))
      #expect(after.highestModSequence.rawValue == before.rawValue + 3)
      let index = try await fixture.store.index(of: inbox.id)
      #expect(index.keywords == [2: [Keyword("$Junk")]])
      #expect(index.flags == [.seen, .deleted, [], [], []])
    }
  }

  @Test func `expunge, copy and move`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount(quota: Quota(messages: 8))
      for number in 1...5 {
        try await fixture.append(mail("\(number)"), of: alice, flags: MessageFlags(number == 3 ? .deleted : .flagged))
      }
      let inbox = try await fixture.inbox(of: alice)
      let start = try await store.index(of: inbox.id)
      #expect(try await store.expunge(in: inbox.id, uids: [1, 2, 4], onlyDeleted: true) == [])
      #expect(try await store.expunge(in: inbox.id, uids: nil, onlyDeleted: true) == [3])
      #expect(try await store.expunge(in: inbox.id, uids: [1, 3], onlyDeleted: false) == [1])
      let gone = try await store.expunged(in: inbox.id, after: start.mailbox.highestModSequence)
      #expect(gone == [1...1, 3...3])
      let copied = try await store.copy([2, 5, 77], from: inbox.id, to: "Archive", of: alice)
      #expect((copied.source, copied.destination) == ([2, 5], [1, 2]))
      let archive = try await store.mailbox(named: "Archive", of: alice)!
      #expect(copied.uidValidity == archive.uidValidity && archive.messageCount == 2)
      let copy = try await store.entries(in: archive.id, uids: [1])[0]
      let original = try await store.entries(in: inbox.id, uids: [2])[0]
      #expect(
        copy.emailID == original.emailID && copy.flags == original.flags && copy.internalDate == original.internalDate)
      let moved = try await store.move([4, 5], from: inbox.id, to: "Archive", of: alice)
      #expect((moved.source, moved.destination) == ([4, 5], [3, 4]))
      #expect(try await store.index(of: inbox.id).uids == [2])
      #expect(try await store.quotaUsage(of: alice).messages == 5)
      // Into itself.
      #expect(try await store.move([2], from: inbox.id, to: .inbox, of: alice).destination == [6])
      #expect(try await fixture.text(6, in: inbox.id) == mail("2"))
      await #expect(throws: StoreError.mailboxNotFound) {
        try await store.copy([6], from: inbox.id, to: "No", of: alice)
      }
      await #expect(throws: StoreError.overQuota) {
        try await store.copy([1, 2, 3, 4], from: archive.id, to: .inbox, of: alice)
      }
      let bob = try await fixture.addAccount("bob")
      await #expect(throws: StoreError.mailboxNotFound) {
        try await store.copy([6], from: inbox.id, to: .inbox, of: bob)
      }
    }
  }

  @Test func `an append is all or nothing`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount(quota: Quota(messages: 2))
      let messages = try await [mail("1"), mail("2"), mail("3")].asyncMap {
        NewMessage(body: try await fixture.stage($0), internalDate: StoreFixture.date)
      }
      await #expect(throws: StoreError.overQuota) { try await fixture.store.append(messages, to: .inbox, of: alice) }
      let tooMany = MessageFlags([], keywords: (0..<200).map { Keyword("k\($0)") })
      let bad = NewMessage(body: messages[1].body, flags: tooMany, internalDate: StoreFixture.date)
      await #expect(throws: StoreError.tooManyKeywords) {
        try await fixture.store.append([messages[0], bad], to: .inbox, of: alice)
      }
      let inbox = try await fixture.inbox(of: alice)
      #expect((inbox.messageCount, inbox.uidNext, inbox.size) == (0, 1, 0))
      #expect(try await fixture.store.quotaUsage(of: alice) == QuotaUsage(bytes: 0, messages: 0))
      #expect(try await fixture.store.append(Array(messages[..<2]), to: .inbox, of: alice).uids == [1, 2])
      #expect(try await fixture.text(2, in: inbox.id) == mail("2"))
    }
  }

  @Test func `threads follow references, whatever comes first`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let letters = [
        mail("a", id: "1@x"), mail("b", id: "2@x", references: "<1@x>"), mail("c", id: "9@x"),
        mail("d", id: "5@x", references: "<3@x> <4@x>"), mail("e", id: "4@x", references: "<3@x>"),
        mail("f", id: "3@x"),
      ]
      for letter in letters { try await fixture.append(letter, of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      let entries = try await fixture.store.entries(in: inbox.id, uids: [1, 2, 3, 4, 5, 6])
      let threads = entries.map(\.threadID)
      #expect(threads[0] == threads[1])
      #expect(threads[3] == threads[4] && threads[4] == threads[5])
      #expect(Set(threads).count == 3)
    }
  }

  @Test func `the right to recent messages is given once, and kept over a restart`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      for number in 1...3 { try await fixture.append(mail("\(number)"), of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      #expect(inbox.firstRecent == 1)
      _ = try await fixture.store.index(of: inbox.id)
      #expect(fixture.store.claimRecent(in: inbox.id) == 1)
      #expect(fixture.store.claimRecent(in: inbox.id) == 4)
      try await fixture.append(mail("4"), of: alice)
      #expect(try await fixture.store.index(of: inbox.id).mailbox.firstRecent == 4)
      #expect(fixture.store.claimRecent(in: inbox.id) == 4)
      await fixture.store.close()
      let reopened = try await StoreFixture.make(path: fixture.path)
      #expect(try await reopened.inbox(of: alice).firstRecent == 5)
      await reopened.store.close()
    }
  }
}

extension Sequence {
  func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}
