import Foundation
import MessageFormat
import Synchronization
import Testing

@testable import MailStore

@Suite(.everyEngine) struct DeletedTests {
  @Test func `what was expunged comes back with its flags and a new UID, and others see it`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount(quota: Quota(messages: 2))
      let flags = MessageFlags([.seen, .flagged, .deleted], keywords: [Keyword("$Forwarded")])
      try await fixture.append(mail("one"), of: alice, flags: flags)
      try await fixture.append(mail("two"), of: alice)
      let inbox = try await fixture.inbox(of: alice)
      _ = try await store.expunge(in: inbox.id, uids: nil, onlyDeleted: true)
      try await fixture.append(mail("three"), of: alice)
      let deleted = try await store.deletedMessages(of: alice, limit: 10)
      #expect(deleted.map(\.id) == [EntryID(mailbox: inbox.id, uid: 1)])
      #expect(deleted[0].mailbox == .inbox && deleted[0].flags == flags && deleted[0].deletedAt != nil)
      #expect(deleted[0].envelope.subject == Array("one".utf8) && deleted[0].size == Int64(mail("one").utf8.count))

      let feed = store.subscribe(to: alice) {}
      let other = EntryID(mailbox: inbox.id, uid: 2)
      let restored = try await store.restore(.messages([deleted[0].id, other]), of: alice)
      #expect(restored.map(\.origin) == [deleted[0].id] && restored.map(\.mailbox) == [.inbox])
      #expect(restored.map(\.id.uid) == [4])
      let told = feed.drain().contains { change in
        if case .appended(inbox.id, let states) = change { states.map(\.uid) == [4] } else { false }
      }
      #expect(told)
      let entries = try await store.entries(in: inbox.id, uids: [1, 2, 3, 4])
      #expect(entries.map(\.uid) == [2, 3, 4])
      #expect(entries.last?.flags == MessageFlags([.seen, .flagged], keywords: [Keyword("$Forwarded")]))
      #expect(try await fixture.text(4, in: inbox.id) == mail("one"))
      // Over the limit, and counted.
      #expect(try await store.quotaUsage(of: alice).messages == 3)
      #expect(try await store.deletedMessages(of: alice, limit: 10).isEmpty)
      #expect(try await store.restore(.messages([deleted[0].id]), of: alice).isEmpty)
      #expect(try await store.messages(of: alice, in: .inbox, limit: 2).map(\.id.uid) == [4, 3])
    }
  }

  @Test func `a mailbox that is gone is made again, one that was renamed is found, and another can be named`()
    async throws
  {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      for name: MailboxName in ["Work/2024", "Plans"] {
        _ = try await store.createMailbox(name, specialUse: nil, of: alice)
        for number in 1...3 { try await fixture.append(mail("\(name) \(number)"), to: name, of: alice) }
      }
      try await store.deleteMailbox("Work/2024", of: alice)
      let plans = try await store.mailbox(named: "Plans", of: alice)!
      _ = try await store.expunge(in: plans.id, uids: [1, 3], onlyDeleted: false)
      try await store.renameMailbox("Plans", to: "Ideas", of: alice)
      #expect(try await store.deletedMessages(of: alice, in: "Work/2024", limit: 10).map(\.id.uid) == [3, 2, 1])
      #expect(try await store.deletedMessages(of: alice, in: "Ideas", limit: 10).map(\.mailbox) == ["Plans", "Plans"])

      let work = try await store.restore(.mailbox("Work/2024", since: nil), of: alice)
      #expect(work.map(\.mailbox) == ["Work/2024", "Work/2024", "Work/2024"])
      let made = try #require(try await store.mailbox(named: "Work/2024", of: alice))
      #expect(made.messageCount == 3 && made.id == work[0].id.mailbox)
      #expect(try await fixture.text(2, in: made.id) == mail("Work/2024 2"))
      #expect(
        try await store.restore(.messages([EntryID(mailbox: plans.id, uid: 1)]), of: alice).map(\.mailbox) == ["Ideas"])
      let elsewhere = try await store.restore(.mailbox("Plans", since: nil), of: alice, into: "Back/Here")
      #expect(elsewhere.map(\.mailbox) == ["Back/Here"])
      #expect(try await store.deletedMessages(of: alice, limit: 10).isEmpty)
    }
  }

  @Test func `a move and a copy leave nothing to restore, an expunged copy does`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      for number in 1...2 { try await fixture.append(mail("\(number)"), of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      _ = try await store.move([1], from: inbox.id, to: "Trash", of: alice)
      _ = try await store.copy([2], from: inbox.id, to: "Archive", of: alice)
      #expect(try await store.deletedMessages(of: alice, limit: 10).isEmpty)
      _ = try await store.expunge(in: inbox.id, uids: [2], onlyDeleted: false)
      #expect(try await store.restore(.mailbox(.inbox, since: nil), of: alice).count == 1)
      // More than one commit holds.
      for _ in 0..<3 {
        for number in 0..<400 { try await fixture.append(mail("many \(number)"), to: "Junk", of: alice) }
      }
      let junk = try await store.mailbox(named: "Junk", of: alice)!
      _ = try await store.expunge(in: junk.id, uids: nil, onlyDeleted: false)
      #expect(try await store.restore(.mailbox("Junk", since: nil), of: alice).map(\.id.uid.rawValue) == Array(1_201...2_400))
    }
  }

  @Test func `after its time, and not before, a deleted message is gone for good`() async throws {
    let hand = Hand()
    try await StoreFixture.with {
      $0.clock = hand.clock
      $0.largeBodyThreshold = 3_000
    } _: { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      let bob = try await fixture.addAccount("bob")
      func deliver(_ subject: String, to accounts: [AccountID], octets: Int) async throws {
        let body = try await fixture.stage(mail(subject, body: String(repeating: "x", count: octets)))
        for result in await store.deliver(
          body, to: accounts.map { LocalDelivery(account: $0, prefix: []) }, internalDate: StoreFixture.date)
        { _ = try result.get() }
      }
      try await deliver("shared", to: [alice, bob], octets: 10)
      try await deliver("large", to: [alice], octets: 5_000)
      try await deliver("later", to: [alice], octets: 10)
      for _ in 0..<1_200 { try await fixture.append(mail("many"), of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      _ = try await store.expunge(in: inbox.id, uids: [1, 2] + (4..<1_204).map { UID(rawValue: $0) }, onlyDeleted: false)
      hand.move(days: 10)
      _ = try await store.expunge(in: inbox.id, uids: [3], onlyDeleted: false)
      hand.move(days: 20)
      hand.move(seconds: -1)
      #expect(try await store.purgeDeleted().isEmpty)
      #expect(try await store.deletedMessages(of: alice, limit: 2_000).count == 1_203)
      hand.move(seconds: 1)
      let purged = try await store.purgeDeleted()
      #expect(purged.entries == 1_202 && purged.messages == 1_202 && purged.octets > 5_000)
      #expect(try await store.deletedMessages(of: alice, limit: 10).map(\.id.uid) == [3])
      #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path + "/large").isEmpty)
      #expect(try await fixture.text(1, in: try await fixture.inbox(of: bob).id).contains("shared"))
      #expect(try await store.purgeDeleted().isEmpty)
      // The days of the removed account's messages are counted too.
      try await store.removeAccount(bob)
      hand.move(days: 10)
      _ = try await store.purgeDeleted()
      hand.move(days: 20)
      #expect(try await store.purgeDeleted().messages == 1)
      #expect(try await store.deletedMessages(of: alice, limit: 10).isEmpty)
    }
  }

  @Test func `a clock that goes back takes nothing away early`() async throws {
    let hand = Hand()
    try await StoreFixture.with { $0.clock = hand.clock } _: { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("one"), of: alice)
      let inbox = try await fixture.inbox(of: alice)
      _ = try await fixture.store.copy([1], from: inbox.id, to: "Archive", of: alice)
      _ = try await fixture.store.expunge(in: inbox.id, uids: [1], onlyDeleted: false)
      hand.move(days: -40)
      let archive = try await fixture.store.mailbox(named: "Archive", of: alice)!
      _ = try await fixture.store.expunge(in: archive.id, uids: [1], onlyDeleted: false)
      hand.move(days: 41)
      #expect(try await fixture.store.purgeDeleted().isEmpty)
      #expect(try await fixture.store.deletedMessages(of: alice, limit: 10).count == 2)
    }
  }
}
