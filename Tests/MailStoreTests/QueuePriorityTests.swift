import Foundation
import MailStore
import MessageFormat
import Testing

@Suite struct QueuePriorityTests {
  private func enqueue(_ priorities: [Int], in fixture: StoreFixture, account: AccountID? = nil) async throws {
    for priority in priorities {
      var message = StoreFixture.queuedMessage(["p\(priority)@one.test"], account: account)
      message.priority = priority
      _ = try await fixture.store.deliver(
        try await fixture.stage(mail("queued")), to: [], queued: [message], internalDate: StoreFixture.date)
    }
  }

  private func order(_ fixture: StoreFixture, limit: Int = 100) async throws -> [String] {
    try await fixture.deliveries("one.test", limit: limit).map { "\($0.recipients[0].address.localPart)" }
  }

  @Test("the most urgent goes first, of equals the first that came; also after the loss of store.db")
  func order() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      try await enqueue([0, -9, 4, 9, -1], in: fixture)
      let expected = ["p9", "p4", "p0", "p-1", "p-9"]
      #expect(try await order(fixture) == expected)
      #expect(try await order(fixture, limit: 8) == ["p9", "p4"])
      let copy = fixture.path + "-copy"
      try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)
      for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: copy + "/store.db" + suffix) }
      try await repair(copy)
      let again = try await StoreFixture.make(path: copy)
      #expect(try await order(again) == expected)
      try await again.end()
    }
  }

  @Test("nobody's urgent mail keeps another account's from its turn")
  func fairness() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await enqueue(Array(repeating: 9, count: 20), in: fixture, account: alice)
      try await enqueue([0], in: fixture)
      #expect(try await order(fixture, limit: 8).contains("p0"))
    }
  }

  @Test("what waits for a later time is released, and its destination is due")
  func release() async throws {
    try await StoreFixture.with { fixture in
      var message = StoreFixture.queuedMessage(["a@one.test"])
      message.notBefore = Timestamp(seconds: 4_000_000_000)
      _ = try await fixture.store.deliver(
        try await fixture.stage(mail("queued")), to: [], queued: [message], internalDate: StoreFixture.date)
      let now = Timestamp(seconds: 3_900_000_000)
      #expect(try await fixture.due(at: now) == [])
      #expect(try await fixture.look(at: now).next == message.notBefore)
      #expect(try await fixture.store.perform(.release, on: QueueFilter()) == 1)
      #expect(try await fixture.due(at: now) == ["one.test"])
    }
  }
}
