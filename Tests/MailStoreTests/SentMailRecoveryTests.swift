import MailStore
import MessageFormat
import SQLite
import Testing

@Suite struct SentMailRecoveryTests {
  private static let friend = RecipientKey(rawValue: 7)

  private func send(_ fixture: StoreFixture, from account: AccountID) async throws {
    _ = try await fixture.store.deliver(
      try await fixture.stage(mail("sent")), to: [],
      queued: [StoreFixture.queuedMessage(["f@one.test"], account: account)], internalDate: StoreFixture.date,
      sent: SentMessage(account: account, recipients: [Self.friend], limits: .standard))
  }

  @Test("what accounts have sent is taken over by a repair from a store.db that can be read, and else begins anew")
  func repairs() async throws {
    for isReadable in [true, false] {
      let hand = Hand()
      let fixture = try await StoreFixture.make { $0.clock = hand.clock }
      try await fixture.store.addDomain(StoreFixture.domain)
      let (alice, bob) = (try await fixture.addAccount("alice"), try await fixture.addAccount("bob"))
      for account in [alice, alice, bob] { try await send(fixture, from: account) }
      await fixture.store.close()
      let store = LivedInStore(path: fixture.path)
      if isReadable {
        // Something to repair.
        let database = try Database(path: fixture.path + "/store.db", access: .writing)
        try database.execute("UPDATE accounts SET secrets = 'x'")
      } else {
        store.removeDatabase()
      }
      #expect(try await repair(fixture.path).isNeeded)
      let repaired = try await StoreFixture.make(path: fixture.path) { $0.clock = hand.clock }
      let (use, known) = try await repaired.store.sendingUse(of: alice, at: hand.clock.now(), known: [Self.friend])
      #expect(use[.messagesPerDay] == (isReadable ? 2 : 0) && use[.newRecipientsPerDay] == (isReadable ? 1 : 0))
      #expect(known == (isReadable ? [Self.friend] : []))
      try await repaired.store.removeAccount(bob)
      try await repaired.end()
    }
  }
}
