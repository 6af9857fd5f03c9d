import Foundation
import MessageFormat
import SQLite
import Testing

@testable import MailStore

/// Mail from elsewhere: what comes in once, and which UIDs it has.
struct ImportTests {
  private func origin(
    _ mailbox: MailboxName = "Old", identity: String = "test:Old", use: SpecialUse? = nil, validity: UInt32? = nil,
    first: UID = 1
  ) -> ImportOrigin {
    ImportOrigin(
      identity: identity, mailbox: mailbox, specialUse: use, isSubscribed: true,
      uids: validity.map { OriginUIDs(validity: UIDValidity(rawValue: $0), first: first) })
  }

  private func message(
    _ fixture: StoreFixture, _ name: String, uid: UID? = nil, flags: MessageFlags = MessageFlags()
  ) async throws -> ImportedMessage {
    let body = try await fixture.stage(mail(name))
    return ImportedMessage(
      key: Array(name.utf8), uid: uid,
      message: NewMessage(body: body, flags: flags, internalDate: StoreFixture.date))
  }

  private func messages(_ fixture: StoreFixture, _ uids: [UID]) async throws -> [ImportedMessage] {
    var result: [ImportedMessage] = []
    for uid in uids { result.append(try await message(fixture, "m\(uid.rawValue)", uid: uid)) }
    return result
  }

  private func uids(_ fixture: StoreFixture, _ name: MailboxName, _ account: AccountID) async throws -> [UInt32] {
    let mailbox = try #require(try await fixture.store.mailbox(named: name, of: account))
    return try await fixture.store.index(of: mailbox.id).uids.map(\.rawValue)
  }

  @Test func `a new mailbox takes over UIDs, UIDVALIDITY and UIDNEXT`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(origin(validity: 77, first: 3), of: alice)
      #expect(target.mailbox == "Old" && target.keepsUIDs)
      let result = try await store.importMessages(try await messages(fixture, [3, 9, 1_000]), from: target.id)
      #expect(result.stored == 3 && result.failures.isEmpty && result.keepsUIDs)
      #expect(try await uids(fixture, "Old", alice) == [3, 9, 1_000])
      #expect(try await store.closeImport(target.id, uidNext: 2_000).keepsUIDs)
      let old = try #require(try await store.mailbox(named: "Old", of: alice))
      #expect(old.uidValidity.rawValue == 77 && old.uidNext == 2_000 && old.isSubscribed)
      #expect(try await store.closeImport(target.id, uidNext: 5).keepsUIDs)
      #expect(try await store.mailbox(named: "Old", of: alice)?.uidNext == 2_000)
      // What is made later has a greater one, whatever was taken over.
      let next = try await store.openImport(origin("Far", identity: "test:Far", validity: 4_000_000_000), of: alice)
      #expect(next.keepsUIDs)
      let made = try await store.createMailbox("New", specialUse: nil, of: alice)
      #expect(made.uidValidity.rawValue == 4_000_000_001)
    }
  }

  @Test(arguments: [("zero", 0, 1), ("too great", UInt32.max, 1)] as [(String, UInt32, UInt32)])
  func `a UIDVALIDITY that leaves no room is not taken over`(_: String, validity: UInt32, first: UInt32) async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let target = try await fixture.store.openImport(origin(validity: validity), of: alice)
      #expect(!target.keepsUIDs)
    }
  }

  @Test func `no mailbox that holds or held something takes UIDs over, and no two share a UIDVALIDITY`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      try await fixture.append(mail("here"), to: "Archive", of: alice)
      #expect(try await !store.openImport(origin("Archive", validity: 5), of: alice).keepsUIDs)
      let a = try await store.openImport(origin("A", identity: "a", validity: 6), of: alice)
      #expect(a.keepsUIDs)
      // One that never held anything makes room, one that did does not.
      #expect(try await store.openImport(origin("B", identity: "b", validity: 6), of: alice).keepsUIDs)
      _ = try await store.importMessages(
        try await messages(fixture, [1]), from: try #require(try await store.knownImport("b", of: alice)))
      #expect(try await !store.openImport(origin("C", identity: "c", validity: 6), of: alice).keepsUIDs)
      let validities = try await store.mailboxes(of: alice).map(\.uidValidity)
      #expect(Set(validities).count == validities.count)

      // Empty again: only UIDs that were never given.
      try await fixture.append(mail("gone"), to: "Junk", of: alice)
      try await fixture.append(mail("gone"), to: "Trash", of: alice)
      for name in ["Junk", "Trash"] as [MailboxName] {
        let mailbox = try #require(try await store.mailbox(named: name, of: alice))
        _ = try await store.expunge(in: mailbox.id, uids: nil, onlyDeleted: false)
      }
      #expect(try await !store.openImport(origin("Junk", identity: "j", validity: 8, first: 1), of: alice).keepsUIDs)
      #expect(try await store.openImport(origin("Trash", identity: "t", validity: 9, first: 2), of: alice).keepsUIDs)
    }
  }

  @Test func `a message comes in once, and never again when it was deleted here`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount(quota: Quota(bytes: 10, messages: 1)))
      let target = try await store.openImport(origin(), of: alice)
      let twice = [try await message(fixture, "a"), try await message(fixture, "a"), try await message(fixture, "b")]
      #expect(try await store.importMessages(twice, from: target.id).stored == 2)
      #expect(try await store.quotaUsage(of: alice).messages == 2)
      #expect(try await store.importMessages(twice, from: target.id).stored == 0)
      let old = try #require(try await store.mailbox(named: "Old", of: alice))
      _ = try await store.expunge(in: old.id, uids: [1], onlyDeleted: false)
      let offers = ["a", "b", "c"].map { ImportOffer(key: Array($0.utf8), flags: MessageFlags()) }
      #expect(try await store.areNews(offers, from: target.id) == [false, false, true])
      #expect(try await store.importMessages(twice, from: target.id).stored == 0)
      #expect(try await uids(fixture, "Old", alice) == [2])
      // Another account has its own.
      let bob = try await fixture.addAccount("bob")
      let other = try await store.openImport(origin(), of: bob)
      #expect(try await store.importMessages(twice, from: other.id).stored == 2)
      try await store.removeAccount(bob)
      await #expect(throws: StoreError.mailboxNotFound) { try await store.importMessages(twice, from: other.id) }
    }
  }

  @Test func `where other mail came in too, the mailbox gets a UIDVALIDITY of its own`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = origin("INBOX", validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await messages(fixture, [1, 2]), from: target.id)
      let subscription = store.subscribe(to: alice) {}
      // Nothing more from there: the UIDs stay what they are.
      try await fixture.append(mail("delivered"), of: alice)
      #expect(try await store.closeImport(target.id, uidNext: 10).keepsUIDs)
      #expect(try await fixture.inbox(of: alice).uidNext == 4)
      _ = subscription.drain()
      let more = try await store.importMessages(try await messages(fixture, [1, 2, 3, 8]), from: target.id)
      #expect(more.stored == 2 && !more.keepsUIDs)
      let inbox = try await fixture.inbox(of: alice)
      #expect(inbox.uidValidity.rawValue > 77)
      #expect(try await uids(fixture, "INBOX", alice) == [1, 2, 3, 4, 5])
      let changes = subscription.drain()
      guard case .mailboxDeleted(inbox.id)? = changes.first else {
        Issue.record("who had it selected was not told first: \(changes)")
        return
      }
      #expect(try await !store.openImport(opened, of: alice).keepsUIDs)
      _ = try await store.importMessages(try await messages(fixture, [9]), from: target.id)
      #expect(try await fixture.inbox(of: alice).uidValidity == inbox.uidValidity)
    }
  }

  @Test(arguments: [[2, 1], [5, 5], [7, UInt32.max]] as [[UInt32]])
  func `UIDs that do not ascend are not kept`(_ numbers: [UInt32]) async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(origin(validity: 77), of: alice)
      var batch: [ImportedMessage] = []
      for (index, number) in numbers.enumerated() {
        batch.append(try await message(fixture, "\(index)", uid: UID(rawValue: number)))
      }
      let result = try await store.importMessages(batch, from: target.id)
      #expect(result.stored == 2 && !result.keepsUIDs)
      #expect(try await uids(fixture, "Old", alice) == [1, 2])
    }
  }

  @Test func `flags follow their origin, and what was changed here stays`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(origin(), of: alice)
      let first = MessageFlags([.flagged], keywords: [Keyword("Old"), Keyword("Same")])
      _ = try await store.importMessages([try await message(fixture, "a", flags: first)], from: target.id)
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
      let opened = origin(validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await messages(fixture, [1]), from: target.id)
      try await store.renameMailbox("Old", to: "Renamed", of: alice)
      #expect(
        try await store.openImport(opened, of: alice)
          == ImportTarget(id: target.id, mailbox: "Renamed", keepsUIDs: true))
      try await store.deleteMailbox("Renamed", of: alice)
      // A run that finds nothing new does not bring it back.
      let again = try await store.openImport(opened, of: alice)
      #expect(again == ImportTarget(id: target.id, mailbox: "Old", keepsUIDs: false))
      #expect(try await store.importMessages(try await messages(fixture, [1]), from: target.id).stored == 0)
      #expect(try await store.mailbox(named: "Old", of: alice) == nil)
      #expect(try await store.importMessages(try await messages(fixture, [1, 2]), from: target.id).stored == 1)
      #expect(try await store.mailbox(named: "Old", of: alice)?.messageCount == 1)
    }
  }

  @Test func `a special use finds its mailbox under whatever name`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      try await store.renameMailbox("Sent", to: "Gesendet", of: alice)
      #expect(try await store.openImport(origin("Sent", identity: "s", use: .sent), of: alice).mailbox == "Gesendet")
      try await store.deleteMailbox("Junk", of: alice)
      #expect(try await store.openImport(origin("Junk", identity: "j", use: .junk), of: alice).mailbox == "Junk")
      #expect(try await store.mailbox(named: "Junk", of: alice)?.specialUse == .junk)
      #expect(try await store.knownImport("j", of: alice) != nil)
      #expect(try await store.knownImport("x", of: alice) == nil)
    }
  }

  @Test func `a message that cannot be kept does not keep the others, and a crash leaves whole batches`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(origin(validity: 77), of: alice)
      let bad = MessageFlags([], keywords: (0...100).map { Keyword("k\($0)") })
      let batch = [
        try await message(fixture, "a", uid: 1), try await message(fixture, "b", uid: 2, flags: bad),
        try await message(fixture, "c", uid: 3),
      ]
      let result = try await store.importMessages(batch, from: target.id)
      #expect(result.stored == 2 && result.failures.map(\.index) == [1])
      #expect(try await uids(fixture, "Old", alice) == [1, 3])

      fixture.faults.set { if case .commit = $0 { 5 } else { 0 } }
      await #expect(throws: StoreError.self) {
        try await store.importMessages(try await messages(fixture, [7]), from: target.id)
      }
      fixture.faults.set(nil)
      let copy = try await fixture.reopenedCopy()
      let again = try await copy.store.openImport(origin(validity: 77), of: alice)
      #expect(again.keepsUIDs)
      #expect(try await copy.store.importMessages(try await messages(copy, [7]), from: again.id).stored == 1)
      try await copy.end()
      #expect(try await store.importMessages(try await messages(fixture, [7]), from: target.id).stored == 1)
    }
  }

  // MARK: When store.db is lost

  @Test func `a repair from the packs keeps UIDs, and nothing comes twice after it`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = origin(validity: 77, first: 3)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await messages(fixture, [3, 9]), from: target.id)
      let flagged = ImportOffer(key: Array("m9".utf8), flags: MessageFlags(.flagged))
      _ = try await store.areNews([flagged], from: target.id)
      _ = try await store.closeImport(target.id, uidNext: 50)
      // This one is at odds with its mailbox already.
      let inbox = try await store.openImport(origin("INBOX", identity: "i", validity: 80), of: alice)
      _ = try await store.importMessages([try await message(fixture, "i1", uid: 1)], from: inbox.id)
      try await fixture.append(mail("delivered"), of: alice)
      _ = try await store.importMessages([try await message(fixture, "i2", uid: 2)], from: inbox.id)
      let validity = try await fixture.inbox(of: alice).uidValidity
      let path = fixture.path + "-lost"
      try FileManager.default.copyItem(atPath: fixture.path, toPath: path)
      let lost = LivedInStore(path: path)
      lost.removeDatabase()
      let plan = try await repair(path)
      #expect(plan.source == .packs && plan.lostCount == 0 && plan.notes == [], "\(plan)")

      let again = try await StoreFixture.make(path: path)
      #expect(try await again.store.openImport(opened, of: alice) == target)
      let old = try #require(try await again.store.mailbox(named: "Old", of: alice))
      #expect(old.uidValidity.rawValue == 77 && old.uidNext == 50 && old.isSubscribed)
      #expect(try await again.store.areNews([flagged], from: target.id) == [false])
      let more = try await again.store.importMessages(try await messages(again, [3, 9, 60]), from: target.id)
      #expect(more.stored == 1 && more.keepsUIDs)
      #expect(try await uids(again, "Old", alice) == [3, 9, 60])
      let second = [try await message(again, "i2", uid: 2)]
      #expect(try await again.store.importMessages(second, from: inbox.id).stored == 0)
      #expect(try await again.inbox(of: alice).uidValidity == validity)
      try await again.end()
    }
  }

  @Test func `a message whose body is lost may be imported again`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(origin(), of: alice)
      _ = try await store.importMessages(
        [try await message(fixture, "whole"), try await message(fixture, "broken")], from: target.id)
      let path = fixture.path + "-broken"
      try FileManager.default.copyItem(atPath: fixture.path, toPath: path)
      let broken = LivedInStore(path: path)
      let pack = try #require(try broken.packs.last)
      let text = Array("Subject: broken".utf8)
      let bytes = try broken.bytes(of: broken.pack(pack))
      let place = try #require(bytes.indices.first { bytes[$0...].starts(with: text) })
      try broken.flip(place, of: broken.pack(pack))
      #expect(try await repair(path).lostCount == 1)
      let again = try await StoreFixture.make(path: path)
      let offers = ["whole", "broken"].map { ImportOffer(key: Array($0.utf8), flags: MessageFlags()) }
      #expect(try await again.store.areNews(offers, from: target.id) == [false, true])
      await again.store.close()
      #expect(try verify(path).findings == [])
      try FileManager.default.removeItem(atPath: path)
    }
  }

  @Test func `a backup remembers what was imported`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = origin(validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await messages(fixture, [1, 2]), from: target.id)
      let folder = fixture.path + "-backup"
      let path = fixture.path + "-restored"
      defer { for directory in [folder, path] { try? FileManager.default.removeItem(atPath: directory) } }
      _ = try await store.backUp(to: folder)
      _ = try await WholeRestore(from: folder, to: path, replaces: false, clock: .system).run()
      let again = try await StoreFixture.make(path: path)
      #expect(try await again.store.openImport(opened, of: alice) == target)
      #expect(try await again.store.importMessages(try await messages(again, [1, 2]), from: target.id).stored == 0)
      #expect(try await uids(again, "Old", alice) == [1, 2])
      try await again.end()
    }
  }
}
