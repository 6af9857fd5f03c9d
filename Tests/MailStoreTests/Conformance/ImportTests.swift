import MailStore
import MessageFormat
import Testing

/// Mail from elsewhere: what comes in once, and which UIDs it has.
@Suite(.everyEngine) struct ImportTests {
  @Test func `a new mailbox takes over UIDs, UIDVALIDITY and UIDNEXT`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(.test(validity: 77, first: 3), of: alice)
      #expect(target.mailbox == "Old" && target.keepsUIDs)
      let result = try await store.importMessages(try await fixture.imported([3, 9, 1_000]), from: target.id)
      #expect(result.stored == 3 && result.failures.isEmpty && result.keepsUIDs)
      #expect(try await fixture.uids(of: "Old", alice) == [3, 9, 1_000])
      #expect(try await store.closeImport(target.id, uidNext: 2_000).keepsUIDs)
      let old = try #require(try await store.mailbox(named: "Old", of: alice))
      #expect(old.uidValidity.rawValue == 77 && old.uidNext == 2_000 && old.isSubscribed)
      #expect(try await store.closeImport(target.id, uidNext: 5).keepsUIDs)
      #expect(try await store.mailbox(named: "Old", of: alice)?.uidNext == 2_000)
      // What is made later has a greater one, whatever was taken over.
      let next = try await store.openImport(.test("Far", identity: "test:Far", validity: 4_000_000_000), of: alice)
      #expect(next.keepsUIDs)
      let made = try await store.createMailbox("New", specialUse: nil, of: alice)
      #expect(made.uidValidity.rawValue == 4_000_000_001)
    }
  }

  @Test(arguments: [("zero", 0, 1), ("too great", UInt32.max, 1)] as [(String, UInt32, UInt32)])
  func `a UIDVALIDITY that leaves no room is not taken over`(_: String, validity: UInt32, first: UInt32) async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let target = try await fixture.store.openImport(.test(validity: validity), of: alice)
      #expect(!target.keepsUIDs)
    }
  }

  @Test func `no mailbox that holds or held something takes UIDs over, and no two share a UIDVALIDITY`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      try await fixture.append(mail("here"), to: "Archive", of: alice)
      #expect(try await !store.openImport(.test("Archive", validity: 5), of: alice).keepsUIDs)
      let a = try await store.openImport(.test("A", identity: "a", validity: 6), of: alice)
      #expect(a.keepsUIDs)
      // One that never held anything makes room, one that did does not.
      #expect(try await store.openImport(.test("B", identity: "b", validity: 6), of: alice).keepsUIDs)
      _ = try await store.importMessages(
        try await fixture.imported([1]), from: try #require(try await store.knownImport("b", of: alice)))
      #expect(try await !store.openImport(.test("C", identity: "c", validity: 6), of: alice).keepsUIDs)
      let validities = try await store.mailboxes(of: alice).map(\.uidValidity)
      #expect(Set(validities).count == validities.count)

      // Empty again: only UIDs that were never given.
      try await fixture.append(mail("gone"), to: "Junk", of: alice)
      try await fixture.append(mail("gone"), to: "Trash", of: alice)
      for name in ["Junk", "Trash"] as [MailboxName] {
        let mailbox = try #require(try await store.mailbox(named: name, of: alice))
        _ = try await store.expunge(in: mailbox.id, uids: nil, onlyDeleted: false)
      }
      #expect(try await !store.openImport(.test("Junk", identity: "j", validity: 8, first: 1), of: alice).keepsUIDs)
      #expect(try await store.openImport(.test("Trash", identity: "t", validity: 9, first: 2), of: alice).keepsUIDs)
    }
  }

  @Test func `a message comes in once, and never again when it was deleted here`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount(quota: Quota(bytes: 10, messages: 1)))
      let target = try await store.openImport(.test(), of: alice)
      let twice = [try await fixture.imported("a"), try await fixture.imported("a"), try await fixture.imported("b")]
      #expect(try await store.importMessages(twice, from: target.id).stored == 2)
      #expect(try await store.quotaUsage(of: alice).messages == 2)
      #expect(try await store.importMessages(twice, from: target.id).stored == 0)
      let old = try #require(try await store.mailbox(named: "Old", of: alice))
      _ = try await store.expunge(in: old.id, uids: [1], onlyDeleted: false)
      let offers = ["a", "b", "c"].map { ImportOffer(key: Array($0.utf8), flags: MessageFlags()) }
      #expect(try await store.areNews(offers, from: target.id) == [false, false, true])
      #expect(try await store.importMessages(twice, from: target.id).stored == 0)
      #expect(try await fixture.uids(of: "Old", alice) == [2])
      // Another account has its own.
      let bob = try await fixture.addAccount("bob")
      let other = try await store.openImport(.test(), of: bob)
      #expect(try await store.importMessages(twice, from: other.id).stored == 2)
      try await store.removeAccount(bob)
      await #expect(throws: StoreError.mailboxNotFound) { try await store.importMessages(twice, from: other.id) }
    }
  }

  @Test func `where other mail came in too, the mailbox gets a UIDVALIDITY of its own`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = ImportOrigin.test("INBOX", validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await fixture.imported([1, 2]), from: target.id)
      let subscription = store.subscribe(to: alice) {}
      // Nothing more from there: the UIDs stay what they are.
      try await fixture.append(mail("delivered"), of: alice)
      #expect(try await store.closeImport(target.id, uidNext: 10).keepsUIDs)
      #expect(try await fixture.inbox(of: alice).uidNext == 4)
      _ = subscription.drain()
      let more = try await store.importMessages(try await fixture.imported([1, 2, 3, 8]), from: target.id)
      #expect(more.stored == 2 && !more.keepsUIDs)
      let inbox = try await fixture.inbox(of: alice)
      #expect(inbox.uidValidity.rawValue > 77)
      #expect(try await fixture.uids(of: "INBOX", alice) == [1, 2, 3, 4, 5])
      let changes = subscription.drain()
      guard case .mailboxDeleted(inbox.id)? = changes.first else {
        Issue.record("who had it selected was not told first: \(changes)")
        return
      }
      #expect(try await !store.openImport(opened, of: alice).keepsUIDs)
      _ = try await store.importMessages(try await fixture.imported([9]), from: target.id)
      #expect(try await fixture.inbox(of: alice).uidValidity == inbox.uidValidity)
    }
  }

  @Test(arguments: [[2, 1], [5, 5], [7, UInt32.max]] as [[UInt32]])
  func `UIDs that do not ascend are not kept`(_ numbers: [UInt32]) async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(.test(validity: 77), of: alice)
      var batch: [ImportedMessage] = []
      for (index, number) in numbers.enumerated() {
        batch.append(try await fixture.imported("\(index)", uid: UID(rawValue: number)))
      }
      let result = try await store.importMessages(batch, from: target.id)
      #expect(result.stored == 2 && !result.keepsUIDs)
      #expect(try await fixture.uids(of: "Old", alice) == [1, 2])
    }
  }

  @Test func `flags follow their origin, and what was changed here stays`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(.test(), of: alice)
      let first = MessageFlags([.flagged], keywords: [Keyword("Old"), Keyword("Same")])
      _ = try await store.importMessages([try await fixture.imported("a", flags: first)], from: target.id)
      let mailbox = try #require(try await store.mailbox(named: "Old", of: alice))
      _ = try await store.changeFlags(
        in: mailbox.id, uids: [1], .add(MessageFlags(.answered, keywords: [Keyword("Here")])), unchangedSince: nil)
      let there = MessageFlags([.seen], keywords: [Keyword("New"), Keyword("Same")])
      let offer = ImportOffer(key: Array("a".utf8), flags: there)
      func flags() async throws -> MessageFlags? {
        try await store.entries(in: mailbox.id, uids: [1]).first?.flags
      }
      let before = try await flags()
      #expect(try await store.areNews([offer], from: target.id, onlyAsks: true) == [false])
      #expect(try await flags() == before)
      #expect(try await store.areNews([offer], from: target.id) == [false])
      #expect(
        try await flags()
          == MessageFlags([.seen, .answered], keywords: [Keyword("Here"), Keyword("New"), Keyword("Same")]))
      // Once: what is undone here afterwards is not done again.
      _ = try await store.changeFlags(in: mailbox.id, uids: [1], .remove(MessageFlags(.seen)), unchangedSince: nil)
      _ = try await store.areNews([offer], from: target.id)
      #expect(try await flags()?.system == [.answered])
    }
  }

  @Test func `an origin stays with its mailbox under a new name, and gets another when it is deleted`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = ImportOrigin.test(validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await fixture.imported([1]), from: target.id)
      try await store.renameMailbox("Old", to: "Renamed", of: alice)
      #expect(
        try await store.openImport(opened, of: alice)
          == ImportTarget(id: target.id, mailbox: "Renamed", keepsUIDs: true))
      try await store.deleteMailbox("Renamed", of: alice)
      // A run that finds nothing new does not bring it back.
      let again = try await store.openImport(opened, of: alice)
      #expect(again == ImportTarget(id: target.id, mailbox: "Old", keepsUIDs: false))
      #expect(try await store.importMessages(try await fixture.imported([1]), from: target.id).stored == 0)
      #expect(try await store.mailbox(named: "Old", of: alice) == nil)
      #expect(try await store.importMessages(try await fixture.imported([1, 2]), from: target.id).stored == 1)
      #expect(try await store.mailbox(named: "Old", of: alice)?.messageCount == 1)
    }
  }

  @Test func `a special use finds its mailbox under whatever name`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      try await store.renameMailbox("Sent", to: "Gesendet", of: alice)
      #expect(try await store.openImport(.test("Sent", identity: "s", use: .sent), of: alice).mailbox == "Gesendet")
      try await store.deleteMailbox("Junk", of: alice)
      #expect(try await store.openImport(.test("Junk", identity: "j", use: .junk), of: alice).mailbox == "Junk")
      #expect(try await store.mailbox(named: "Junk", of: alice)?.specialUse == .junk)
      #expect(try await store.knownImport("j", of: alice) != nil)
      #expect(try await store.knownImport("x", of: alice) == nil)
    }
  }

  @Test func `a message that cannot be kept does not keep the others, and a crash leaves whole batches`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(.test(validity: 77), of: alice)
      let bad = MessageFlags([], keywords: (0...100).map { Keyword("k\($0)") })
      let batch = [
        try await fixture.imported("a", uid: 1), try await fixture.imported("b", uid: 2, flags: bad),
        try await fixture.imported("c", uid: 3),
      ]
      let result = try await store.importMessages(batch, from: target.id)
      #expect(result.stored == 2 && result.failures.map(\.index) == [1])
      #expect(try await fixture.uids(of: "Old", alice) == [1, 3])

      fixture.faults.set { $0.isCommit ? 5 : 0 }
      await #expect(throws: StoreError.self) {
        try await store.importMessages(try await fixture.imported([7]), from: target.id)
      }
      fixture.faults.set(nil)
      let copy = try await fixture.reopenedCopy()
      let again = try await copy.store.openImport(.test(validity: 77), of: alice)
      #expect(again.keepsUIDs)
      #expect(try await copy.store.importMessages(try await copy.imported([7]), from: again.id).stored == 1)
      try await copy.end()
      #expect(try await store.importMessages(try await fixture.imported([7]), from: target.id).stored == 1)
    }
  }
}
