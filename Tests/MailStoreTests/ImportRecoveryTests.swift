import Foundation
import MessageFormat
import Testing

@testable import MailStore

/// What is remembered of imports outlives `store.db`.
struct ImportRecoveryTests {
  @Test func `a repair from the packs keeps UIDs, and nothing comes twice after it`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let opened = ImportOrigin.test(validity: 77, first: 3)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await fixture.imported([3, 9]), from: target.id)
      let flagged = ImportOffer(key: Array("m9".utf8), flags: MessageFlags(.flagged))
      _ = try await store.areNews([flagged], from: target.id)
      _ = try await store.closeImport(target.id, uidNext: 50)
      // This one is at odds with its mailbox already.
      let inbox = try await store.openImport(.test("INBOX", identity: "i", validity: 80), of: alice)
      _ = try await store.importMessages([try await fixture.imported("i1", uid: 1)], from: inbox.id)
      try await fixture.append(mail("delivered"), of: alice)
      _ = try await store.importMessages([try await fixture.imported("i2", uid: 2)], from: inbox.id)
      let validity = try await fixture.inbox(of: alice).uidValidity
      let path = fixture.path + "-lost"
      try copyStore(at: fixture.path, to: path)
      let lost = LivedInStore(path: path)
      lost.removeDatabase()
      let plan = try await repair(path)
      #expect(plan.source == .packs && plan.lostCount == 0 && plan.notes == [], "\(plan)")

      let again = try await StoreFixture.make(path: path)
      #expect(try await again.store.openImport(opened, of: alice) == target)
      let old = try #require(try await again.store.mailbox(named: "Old", of: alice))
      #expect(old.uidValidity.rawValue == 77 && old.uidNext == 50 && old.isSubscribed)
      #expect(try await again.store.areNews([flagged], from: target.id) == [false])
      let more = try await again.store.importMessages(try await again.imported([3, 9, 60]), from: target.id)
      #expect(more.stored == 1 && more.keepsUIDs)
      #expect(try await again.uids(of: "Old", alice) == [3, 9, 60])
      let second = [try await again.imported("i2", uid: 2)]
      #expect(try await again.store.importMessages(second, from: inbox.id).stored == 0)
      #expect(try await again.inbox(of: alice).uidValidity == validity)
      try await again.end()
    }
  }

  @Test func `a message whose body is lost may be imported again`() async throws {
    try await StoreFixture.with { fixture in
      let (store, alice) = (fixture.store, try await fixture.addAccount())
      let target = try await store.openImport(.test(), of: alice)
      _ = try await store.importMessages(
        [try await fixture.imported("whole"), try await fixture.imported("broken")], from: target.id)
      let path = fixture.path + "-broken"
      try copyStore(at: fixture.path, to: path)
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
      let opened = ImportOrigin.test(validity: 77)
      let target = try await store.openImport(opened, of: alice)
      _ = try await store.importMessages(try await fixture.imported([1, 2]), from: target.id)
      let folder = fixture.path + "-backup"
      let path = fixture.path + "-restored"
      defer { for directory in [folder, path] { try? FileManager.default.removeItem(atPath: directory) } }
      _ = try await store.backUp(to: folder)
      _ = try await WholeRestore(from: folder, to: path, replaces: false, clock: .system).run()
      let again = try await StoreFixture.make(path: path)
      #expect(try await again.store.openImport(opened, of: alice) == target)
      #expect(try await again.store.importMessages(try await again.imported([1, 2]), from: target.id).stored == 0)
      #expect(try await again.uids(of: "Old", alice) == [1, 2])
      try await again.end()
    }
  }
}
