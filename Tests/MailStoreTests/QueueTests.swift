import Foundation
import MessageFormat
import Synchronization
import Testing

@testable import MailStore

@Suite struct QueueTests {
  @Test("one commit puts a message into mailboxes and the queue; what is done with is gone, and with the last its body")
  func comesAndGoes() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let woken = Atomic(0)
      fixture.store.watchQueue { woken.add(1, ordering: .relaxed) }
      let local = LocalDelivery(account: account, prefix: Array("X: y\r\n".utf8))
      let results = try await fixture.store.deliver(
        try await fixture.stage(mail("both")), to: [local],
        queued: [message(["a@one.test", "b@one.test", "c@two.test"], account: account)], internalDate: StoreFixture.date)
      #expect(try results[0].get().uids == [UID(rawValue: 1)])
      #expect(woken.load(ordering: .relaxed) == 1)

      #expect(try await due(fixture) == ["one.test", "two.test"])
      let one = try await deliveries("one.test", fixture)
      #expect(one.count == 1)
      #expect(one[0].recipients.map { "\($0.address)" } == ["a@one.test", "b@one.test"])
      #expect(one[0].recipients[1].parameters == "NOTIFY=NEVER")
      #expect(one[0].message.parameters == "RET=HDRS")
      #expect(one[0].message.account == account && one[0].message.sender == EmailAddress("me@example.test"))
      let text = try await fixture.store.read(one[0].message.content, range: 0..<one[0].message.content.size)
      #expect(String(decoding: text, as: UTF8.self) == "Received: here\r\n" + mail("both"))

      try await finish(one[0], fixture)
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await due(fixture) == ["two.test"])
      // The message is in a mailbox still; another is only in the queue.
      try await enqueue(["d@two.test"], fixture)
      let two = try await deliveries("two.test", fixture)
      #expect(two.map { $0.recipients.map(\.position) } == [[0], [2]])
      for delivery in two { try await finish(delivery, fixture) }
      try await fixture.store.settle(destination: "two.test", .reached)
      #expect(try await due(fixture) == [])
      #expect(try await fixture.store.queueSummary() == QueueSummary())
      #expect(try await fixture.text(UID(rawValue: 1), in: fixture.inbox(of: account).id).hasSuffix(mail("both")))
    }
  }

  @Test("a crash loses nothing of the queue, nor does the loss of store.db, and nothing that is done with comes back")
  func survives() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      for name in ["kept", "done", "held", "failed"] { try await enqueue(["\(name)@\(name).test"], fixture) }
      try await finish(try await deliveries("done.test", fixture)[0], fixture)
      try await fixture.store.settle(destination: "done.test", .reached)
      #expect(try await fixture.store.perform(.hold, on: QueueFilter(destination: "held.test")) == 1)
      let failed = try await deliveries("failed.test", fixture)[0]
      var progress = QueueProgress()
      progress.outcomes = [(failed.id(0), .report(at: time, result: "550 no"))]
      try await fixture.store.note(progress)

      for removesDatabase in [false, true] {
        let copy = fixture.path + "-copy-\(removesDatabase)"
        try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)
        if removesDatabase {
          for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: copy + "/store.db" + suffix) }
          try await repair(copy)
        }
        let again = try await StoreFixture.make(path: copy)
        #expect(
          try await states(again) == ["kept@kept.test waiting", "held@held.test held", "failed@failed.test reporting"])
        #expect(try await due(again).contains("kept.test"))
        #expect(try await again.store.dueReports(at: time, limit: 10).map(\.recipients[0].result) == ["550 no"])
        try await again.end()
      }
    }
  }

  @Test("after a whole restore of a backup nothing is sent that may have been sent since")
  func restoredQueueIsHeld() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      try await enqueue(["a@one.test"], fixture)
      let backup = fixture.path + "-backup"
      let place = fixture.path + "-restored"
      defer { for path in [backup, place] { try? FileManager.default.removeItem(atPath: path) } }
      _ = try await fixture.store.backUp(to: backup, options: BackupOptions(version: "1", hostname: nil))
      _ = try await WholeRestore(from: backup, to: place, replaces: false, clock: .system).run()
      let restored = try await StoreFixture.make(path: place)
      #expect(try await states(restored) == ["a@one.test held"])
      #expect(try await due(restored) == [])
      #expect(try await restored.store.perform(.release, on: QueueFilter()) == 1)
      #expect(try await due(restored, at: Timestamp(seconds: 4_000_000_000)) == ["one.test"])
      try await restored.end()
    }
  }

  @Test("an account's thousand messages do not stand before another's one")
  func fairness() async throws {
    try await StoreFixture.with { fixture in
      let (alice, bob) = (try await fixture.addAccount("alice"), try await fixture.addAccount("bob"))
      for _ in 0..<30 { try await enqueue(["x@one.test"], account: alice, fixture) }
      try await enqueue(["y@one.test"], account: bob, fixture)
      let first = try await fixture.store.dueDeliveries(
        for: "one.test", at: time, after: nil, without: [], limit: 8)
      #expect(first.map(\.message.account).filter { $0 == bob }.count == 1)
      #expect(first.count == 3)
      // Those that are on their way are left out; the next turn is another's.
      let next = try await fixture.store.dueDeliveries(
        for: "one.test", at: time, after: bob, without: Set(first.map(\.message.id)), limit: 8)
      #expect(next.count == 2 && next.allSatisfy { $0.message.account == alice })
      #expect(Set(next.map(\.message.id)).isDisjoint(with: first.map(\.message.id)))
      #expect(try await deliveries("one.test", fixture, limit: 200).count == 31)
    }
  }

  @Test("a destination that can't be reached waits with all its messages; a new one does not make it hurry")
  func unreachable() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await enqueue(["a@one.test"], fixture)
      let later = time.advanced(by: .seconds(7_200))
      try await fixture.store.settle(destination: "one.test", .unreachable(until: later, result: "refused"))
      try await enqueue(["b@one.test", "c@two.test"], fixture)
      #expect(try await due(fixture) == ["two.test"])
      #expect(try await due(fixture, at: time.advanced(by: .seconds(299))) == ["two.test"])
      // What is new is tried after a pause.
      #expect(try await due(fixture, at: time.advanced(by: .seconds(300))) == ["two.test", "one.test"])
      #expect(try await fixture.store.nextQueueEvent(after: time) == time.advanced(by: .seconds(300)))
      let destination = try #require(try await fixture.store.queuedDestination("one.test"))
      #expect(destination.failures == 1 && destination.result == "refused")
      #expect(try await fixture.store.perform(.retry, on: QueueFilter(destination: "one.test")) == 2)
      #expect(try await due(fixture).contains("one.test"))
    }
  }

  @Test("retries, warnings and expiry have their times")
  func times() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await enqueue(["a@one.test"], fixture)
      let delivery = try await deliveries("one.test", fixture)[0]
      var progress = QueueProgress()
      progress.outcomes = [(delivery.id(0), .retry(at: time.advanced(by: .seconds(60)), result: "451 later"))]
      try await fixture.store.note(progress)
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await due(fixture) == [])
      #expect(try await fixture.store.nextQueueEvent(after: time) == time.advanced(by: .seconds(60)))
      let again = try await deliveries("one.test", fixture, at: time.advanced(by: .seconds(60)))
      #expect(again[0].recipients[0].attempts == 1 && again[0].recipients[0].result == "451 later")

      #expect(try await fixture.store.lateMessages(at: time, limit: 10).isEmpty)
      let late = time.advanced(by: .seconds(14_400))
      #expect(try await fixture.store.lateMessages(at: late, limit: 10).map(\.message.id) == [delivery.message.id])
      var warned = QueueProgress()
      warned.warned = [delivery.message.id]
      try await fixture.store.note(warned)
      #expect(try await fixture.store.lateMessages(at: late, limit: 10).isEmpty)
      let end = time.advanced(by: .seconds(432_000))
      #expect(try await fixture.store.expiredMessages(at: late, limit: 10).isEmpty)
      #expect(try await fixture.store.expiredMessages(at: end, limit: 10).map(\.recipients.count) == [1])
    }
  }

  @Test("lists are filtered and go on where they ended; drop takes away without a word")
  func administration() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      for number in 1...5 { try await enqueue(["a@\(number % 2 == 0 ? "even" : "odd").test"], fixture) }
      let all = try await fixture.store.queuedMessages(QueueFilter(), limit: 3)
      let rest = try await fixture.store.queuedMessages(QueueFilter(), after: all.last?.message.id, limit: 3)
      #expect(all.count == 3 && rest.count == 2)
      let even = QueueFilter(destination: "even.test")
      #expect(try await fixture.store.queuedMessages(even, limit: 10).count == 2)
      #expect(try await fixture.store.queuedMessages(QueueFilter(sender: EmailAddress("x@y.test")), limit: 10).isEmpty)
      #expect(try await fixture.store.queuedMessages(QueueFilter(ids: [all[0].message.id]), limit: 10).count == 1)
      #expect(try await fixture.store.perform(.hold, on: even) == 2)
      #expect(try await fixture.store.queuedMessages(QueueFilter(state: .held), limit: 10).count == 2)
      #expect(try await fixture.store.perform(.drop, on: QueueFilter(state: .waiting)) == 3)
      #expect(try await fixture.store.queueSummary() == QueueSummary(messages: 2, held: 2))
      #expect(try await fixture.store.perform(.release, on: QueueFilter()) == 2)
      #expect(try await fixture.store.queueSummary() == QueueSummary(messages: 2, waiting: 2))
    }
  }

  @Test("a large body in the queue is a file of its own, and gone with its last recipient")
  func largeBody() async throws {
    try await StoreFixture.with(options: { $0.largeBodyThreshold = 10_000 }) { fixture in
      _ = try await fixture.addAccount()
      try await enqueue(["a@one.test"], fixture, body: String(repeating: "x", count: 50_000))
      #expect(try await fixture.store.statistics().largeBodies.count == 1)
      try await finish(try await deliveries("one.test", fixture)[0], fixture)
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await fixture.store.statistics().largeBodies.count == 0)
    }
  }

  @Test("where the commit fails, nothing is in a mailbox and nothing in the queue")
  func allOrNothing() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let body = try await fixture.stage(mail("x"))
      fixture.faults.set { $0 == .commit ? ENOSPC : 0 }
      await #expect(throws: StoreError.self) {
        _ = try await fixture.store.deliver(
          body, to: [LocalDelivery(account: account, prefix: [])], queued: [message(["a@one.test"])],
          internalDate: StoreFixture.date)
      }
      fixture.faults.set(nil)
      #expect(try await fixture.store.queueSummary() == QueueSummary())
      #expect(try await fixture.inbox(of: account).messageCount == 0)
    }
  }

  // MARK: -

  private let time = Timestamp(seconds: 1_800_000_000)

  private func message(_ recipients: [String], account: AccountID? = nil) -> NewQueuedMessage {
    NewQueuedMessage(
      sender: EmailAddress("me@example.test"), account: account, parameters: "RET=HDRS",
      prefix: Array("Received: here\r\n".utf8), notBefore: time, expires: time.advanced(by: .seconds(432_000)),
      warns: time.advanced(by: .seconds(14_400)),
      recipients: recipients.map {
        let address = EmailAddress($0)!
        return NewQueuedRecipient(
          address: address, destination: address.domain.text, parameters: "NOTIFY=NEVER")
      })
  }

  private func enqueue(
    _ recipients: [String], account: AccountID? = nil, _ fixture: StoreFixture, body: String = "Hello.\r\n"
  ) async throws {
    _ = try await fixture.store.deliver(
      try await fixture.stage(mail("queued", body: body)), to: [], queued: [message(recipients, account: account)],
      internalDate: StoreFixture.date)
  }

  private func due(_ fixture: StoreFixture, at moment: Timestamp? = nil) async throws -> [String] {
    let moment = moment ?? time
    var names = try await fixture.store.dueDestinations(reachable: true, at: moment, without: [], limit: 10)
    names += try await fixture.store.dueDestinations(reachable: false, at: moment, without: [], limit: 10)
    return names.map(\.name)
  }

  private func deliveries(
    _ destination: String, _ fixture: StoreFixture, at moment: Timestamp? = nil, limit: Int = 10
  ) async throws -> [QueuedDelivery] {
    try await fixture.store.dueDeliveries(
      for: destination, at: moment ?? time, after: nil, without: [], limit: limit)
  }

  private func finish(_ delivery: QueuedDelivery, _ fixture: StoreFixture) async throws {
    var progress = QueueProgress()
    progress.outcomes = delivery.recipients.map { (delivery.id($0.position), .done) }
    try await fixture.store.note(progress)
  }

  private func states(_ fixture: StoreFixture) async throws -> [String] {
    try await fixture.store.queuedMessages(QueueFilter(), limit: 100).flatMap(\.recipients).map {
      "\($0.address) \($0.state)"
    }
  }
}

extension QueuedDelivery {
  fileprivate func id(_ position: Int) -> QueuedRecipientID {
    QueuedRecipientID(message: message.id, position: position)
  }
}
