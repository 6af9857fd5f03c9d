import Foundation
import MessageFormat
import Synchronization
import Testing

@testable import MailStore

@Suite(.everyEngine) struct QueueTests {
  private let time = StoreFixture.queueTime

  @Test("one commit puts a message into mailboxes and the queue; what is done with is gone, and with the last its body")
  func comesAndGoes() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let woken = Atomic(0)
      fixture.store.watchQueue { woken.add(1, ordering: .relaxed) }
      let local = LocalDelivery(account: account, prefix: Array("X: y\r\n".utf8))
      let results = try await fixture.store.deliver(
        try await fixture.stage(mail("both")), to: [local],
        queued: [StoreFixture.queuedMessage(["a@one.test", "b@one.test", "c@two.test"], account: account)], internalDate: StoreFixture.date)
      #expect(try results[0].get().uids == [UID(rawValue: 1)])
      #expect(woken.load(ordering: .relaxed) == 1)

      #expect(try await fixture.due() == ["one.test", "two.test"])
      let one = try await fixture.deliveries("one.test")
      #expect(one.count == 1)
      #expect(one[0].recipients.map { "\($0.address)" } == ["a@one.test", "b@one.test"])
      #expect(one[0].recipients[1].parameters == "NOTIFY=NEVER")
      #expect(one[0].message.parameters == "RET=HDRS")
      #expect(one[0].message.account == account && one[0].message.sender == EmailAddress("me@example.test"))
      let text = try await fixture.store.read(one[0].message.content, range: 0..<one[0].message.content.size)
      #expect(String(decoding: text, as: UTF8.self) == "Received: here\r\n" + mail("both"))

      try await fixture.finish(one[0])
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await fixture.due() == ["two.test"])
      // The message is in a mailbox still; another is only in the queue.
      try await fixture.enqueue(["d@two.test"])
      let two = try await fixture.deliveries("two.test")
      #expect(two.map { $0.recipients.map(\.position) } == [[0], [2]])
      for delivery in two { try await fixture.finish(delivery) }
      try await fixture.store.settle(destination: "two.test", .reached)
      #expect(try await fixture.due() == [])
      #expect(try await fixture.store.queueSummary() == QueueSummary())
      #expect(try await fixture.text(UID(rawValue: 1), in: fixture.inbox(of: account).id).hasSuffix(mail("both")))
    }
  }

  @Test("an account's thousand messages do not stand before another's one")
  func fairness() async throws {
    try await StoreFixture.with { fixture in
      let (alice, bob) = (try await fixture.addAccount("alice"), try await fixture.addAccount("bob"))
      for _ in 0..<30 { try await fixture.enqueue(["x@one.test"], account: alice) }
      try await fixture.enqueue(["y@one.test"], account: bob)
      let first = try await fixture.store.dueDeliveries(
        for: "one.test", at: time, after: nil, without: [], limit: 8)
      #expect(first.map(\.message.account).filter { $0 == bob }.count == 1)
      #expect(first.count == 3)
      // Those that are on their way are left out; the next turn is another's.
      let next = try await fixture.store.dueDeliveries(
        for: "one.test", at: time, after: bob, without: Set(first.map(\.message.id)), limit: 8)
      #expect(next.count == 2 && next.allSatisfy { $0.message.account == alice })
      #expect(Set(next.map(\.message.id)).isDisjoint(with: first.map(\.message.id)))
      #expect(try await fixture.deliveries("one.test", limit: 200).count == 31)
    }
  }

  @Test("what has been due for longest comes first, but of what came due recently the last")
  func recent() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      for (second, name) in ["one", "two", "three"].enumerated() {
        let now = time.advanced(by: .seconds(second))
        clock.withLock { $0 = now }
        var message = StoreFixture.queuedMessage(["a@\(name).test"])
        message.notBefore = now
        _ = try await fixture.store.deliver(
          try await fixture.stage(mail("queued")), to: [], queued: [message], internalDate: StoreFixture.date)
      }
      func due(fresh: [(since: Int, count: Int)], reachable: Int) async throws -> [String] {
        let room = QueueRoom(
          fresh: fresh.map { (time.advanced(by: .seconds($0.since)), $0.count) }, reachable: reachable, unreachable: 10)
        return try await fixture.store.look(
          atQueue: time.advanced(by: .seconds(9)), without: ["busy.test"], room
        ).destinations.map(\.name)
      }
      #expect(try await due(fresh: [], reachable: 10) == ["one.test", "two.test", "three.test"])
      #expect(try await due(fresh: [(1, 10)], reachable: 0) == ["three.test", "two.test"])
      #expect(try await due(fresh: [(1, 1), (0, 2)], reachable: 2) == ["three.test", "two.test"])
      #expect(try await due(fresh: [(2, 2), (1, 2)], reachable: 3) == ["three.test", "two.test", "one.test"])
      #expect(try await due(fresh: [(4, 10)], reachable: 1) == ["one.test"])
      #expect(try await due(fresh: [(4, 10)], reachable: -1) == [])
    }
  }

  @Test("a destination that can't be reached waits with all its messages; a new one does not make it hurry")
  func unreachable() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test"])
      let later = time.advanced(by: .seconds(7_200))
      try await fixture.store.settle(destination: "one.test", .unreachable(until: later, result: "refused"))
      try await fixture.enqueue(["b@one.test", "c@two.test"])
      #expect(try await fixture.due() == ["two.test"])
      #expect(try await fixture.due(at: time.advanced(by: .seconds(299))) == ["two.test"])
      // What is new is tried after a pause.
      #expect(try await fixture.due(at: time.advanced(by: .seconds(300))) == ["two.test", "one.test"])
      #expect(try await fixture.look().next == time.advanced(by: .seconds(300)))
      // Nothing of this was tried.
      try await fixture.store.settle(destination: "one.test", .untried)
      let destination = try #require(try await fixture.store.queuedDestination("one.test"))
      #expect(destination.failures == 1 && destination.result == "refused")
      #expect(try await fixture.store.perform(.retry, on: QueueFilter(domain: "one.test")) == 2)
      #expect(try await fixture.due().contains("one.test"))
    }
  }

  @Test("what waits or is held can be given another destination, and what was tried is due there at once")
  func rerouting() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test", "b@two.test", "c@three.test", "d@four.test"])
      _ = try await fixture.store.perform(.hold, on: QueueFilter(domain: "three.test"))
      let tried = try await fixture.deliveries("two.test")[0]
      var progress = QueueProgress()
      progress.outcomes = [(tried.id(1), .retry(at: time.advanced(by: .seconds(7_200)), result: "later"))]
      try await fixture.store.note(progress)
      let later = time.advanced(by: .seconds(60))
      clock.withLock { $0 = later }
      let count = try await fixture.store.rerouteQueue(by: 1) { recipient, sender, _ in
        sender?.domain.text == "example.test" && recipient.domain.text != "four.test" ? "/hub" : recipient.domain.text
      }
      #expect(count == 3)
      #expect(try await fixture.deliveries("/hub", at: later).flatMap(\.recipients).map(\.position) == [0, 1])
      #expect(try await fixture.deliveries("four.test", at: later).count == 1)
      #expect(try await fixture.store.perform(.release, on: QueueFilter(domain: "three.test")) == 1)
      #expect(try await fixture.deliveries("/hub", at: later).flatMap(\.recipients).map(\.position) == [0, 1, 2])
      #expect(try await fixture.due(at: later).contains("/hub"))
      let again = try await fixture.store.rerouteQueue(by: 2) { recipient, _, _ in
        recipient.domain.text == "four.test" ? "four.test" : "/hub"
      }
      #expect(again == 0)
      // The way back.
      func plain(_ routes: Int64) async throws -> Int {
        try await fixture.store.rerouteQueue(by: routes) { recipient, _, _ in recipient.domain.text }
      }
      #expect(try await plain(3) == 3)
      #expect(try await fixture.store.rerouteQueue(by: 3) { _, _, _ in "never looked at" } == 0)
      #expect(try await plain(2) == 0)
    }
  }

  @Test(
    "the clock may be put forward or back by anything: what is planned keeps its distance from now",
    arguments: [-3_600, 86_400, -86_400, 30 * 86_400, -30 * 86_400])
  func moving(seconds: Int) async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test"])
      try await fixture.enqueue(["b@two.test"])
      let delivery = try await fixture.deliveries("one.test")[0]
      var progress = QueueProgress()
      progress.outcomes = [(delivery.id(0), .retry(at: time.advanced(by: .seconds(900)), result: "later"))]
      try await fixture.store.note(progress)
      try await fixture.store.settle(destination: "one.test", .reached)
      let later = time.advanced(by: .seconds(7_000))
      try await fixture.store.settle(destination: "two.test", .unreachable(until: later, result: "away"))
      let now = time.advanced(by: .seconds(600 + seconds))
      clock.withLock { $0 = now }
      try await fixture.store.moveQueue(by: .seconds(seconds))
      func due(_ after: Int) async throws -> [String] {
        try await fixture.due(at: now.advanced(by: .seconds(after)))
      }
      #expect(try await due(299) == [])
      #expect(try await due(300) == ["one.test"])
      #expect(try await fixture.deliveries("one.test", at: now.advanced(by: .seconds(300))).count == 1)
      #expect(try await due(6_399) == ["one.test"])
      #expect(try await due(6_400) == ["one.test", "two.test"])
      let life = 432_000 - 600
      #expect(try await fixture.store.expiredMessages(at: now.advanced(by: .seconds(life - 1)), limit: 9).isEmpty)
      #expect(try await fixture.store.expiredMessages(at: now.advanced(by: .seconds(life)), limit: 9).count == 2)
      #expect(try await fixture.store.lateMessages(at: now.advanced(by: .seconds(13_799)), limit: 9).isEmpty)
      // And put right again.
      clock.withLock { $0 = time.advanced(by: .seconds(600)) }
      try await fixture.store.moveQueue(by: .seconds(-seconds))
    }
  }

  @Test("after a start with a clock that is behind, what was tried is due; what was to wait from the beginning waits on")
  func hastening() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test", "b@two.test"])
      let delivery = try await fixture.deliveries("one.test")[0]
      var progress = QueueProgress()
      progress.outcomes = [(delivery.id(0), .retry(at: time.advanced(by: .seconds(900)), result: "later"))]
      try await fixture.store.note(progress)
      try await fixture.store.settle(destination: "one.test", .reached)
      try await fixture.store.hastenQueue(beyond: time.advanced(by: .seconds(28_800)))
      #expect(try await fixture.due() == ["two.test"])
      let now = time.advanced(by: .seconds(-30 * 86_400))
      clock.withLock { $0 = now }
      #expect(try await fixture.due(at: now) == [])
      try await fixture.store.hastenQueue(beyond: now.advanced(by: .seconds(28_800)))
      #expect(try await fixture.due(at: now).sorted() == ["one.test", "two.test"])
      #expect(try await fixture.deliveries("one.test", at: now).count == 1)
      #expect(try await fixture.deliveries("two.test", at: now).count == 1)
    }
  }

  @Test("retries, warnings and expiry have their times")
  func times() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test"])
      let delivery = try await fixture.deliveries("one.test")[0]
      var progress = QueueProgress()
      progress.outcomes = [(delivery.id(0), .retry(at: time.advanced(by: .seconds(60)), result: "451 later"))]
      try await fixture.store.note(progress)
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await fixture.due() == [])
      #expect(try await fixture.look().next == time.advanced(by: .seconds(60)))
      let again = try await fixture.deliveries("one.test", at: time.advanced(by: .seconds(60)))
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

  @Test("one report waits for all that have not been tried, and no longer; one that can't be made waits for its time")
  func reports() async throws {
    let clock = Mutex(time)
    try await StoreFixture.with(options: { $0.clock = WallClock { clock.withLock { $0 } } }) { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test", "b@two.test"])
      let minute = time.advanced(by: .seconds(60))
      func note(_ position: Int, _ outcome: QueuedOutcome) async throws {
        let delivery = try #require(try await fixture.store.queuedMessages(QueueFilter(), limit: 1).first)
        var progress = QueueProgress()
        progress.outcomes = [(delivery.id(position), outcome)]
        try await fixture.store.note(progress)
      }
      try await note(0, .report(at: minute, result: "550 no"))
      #expect(try await fixture.store.dueReports(at: time, limit: 10).isEmpty)
      try await note(1, .retry(at: minute, result: "451 later"))
      #expect(try await fixture.store.dueReports(at: time, limit: 10).map(\.recipients.count) == [1])
      try await note(0, .report(at: minute, result: "550 no"))
      #expect(try await fixture.store.dueReports(at: time, limit: 10).isEmpty)
      #expect(try await fixture.store.dueReports(at: minute, limit: 10).map(\.recipients.count) == [1])
    }
  }

  @Test("lists are filtered and go on where they ended; drop takes away without a word")
  func administration() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      for number in 1...5 { try await fixture.enqueue(["a@\(number % 2 == 0 ? "even" : "odd").test"]) }
      let all = try await fixture.store.queuedMessages(QueueFilter(), limit: 3)
      let rest = try await fixture.store.queuedMessages(QueueFilter(), after: all.last?.message.id, limit: 3)
      #expect(all.count == 3 && rest.count == 2)
      let even = QueueFilter(domain: "even.test")
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
      try await fixture.enqueue(["a@one.test"], body: String(repeating: "x", count: 50_000))
      #expect(try await fixture.store.statistics().largeBodies.count == 1)
      try await fixture.finish(try await fixture.deliveries("one.test")[0])
      try await fixture.store.settle(destination: "one.test", .reached)
      #expect(try await fixture.store.statistics().largeBodies.count == 0)
    }
  }

  @Test("where the commit fails, nothing is in a mailbox and nothing in the queue")
  func allOrNothing() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let body = try await fixture.stage(mail("x"))
      fixture.faults.set { $0.isCommit ? ENOSPC : 0 }
      await #expect(throws: StoreError.self) {
        _ = try await fixture.store.deliver(
          body, to: [LocalDelivery(account: account, prefix: [])], queued: [StoreFixture.queuedMessage(["a@one.test"])],
          internalDate: StoreFixture.date)
      }
      fixture.faults.set(nil)
      #expect(try await fixture.store.queueSummary() == QueueSummary())
      #expect(try await fixture.inbox(of: account).messageCount == 0)
    }
  }

  @Test("results of TLS are kept by day and domain; who has the report is noted in the commit that queues it")
  func resultsOfTLS() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let keys = [(2, "b.test"), (1, "z.test"), (2, "a.test"), (3, "a.test")].map {
        TransportResults.Key(day: $0.0, domain: $0.1)
      }
      try await store.setTransportResults(keys.map { TransportResults($0, results: "first") })
      #expect(try await store.transportResults(before: 3, limit: 10) == [keys[1], keys[2], keys[0]])
      #expect(try await store.transportResults(before: 3, limit: 1) == [keys[1]])
      #expect(try await store.transportResultsCount(of: 2) == 2)

      var progress = QueueProgress()
      progress.told = [(keys[0], "mailto:a@b.test"), (keys[0], "https://b.test/")]
      _ = try await store.deliver(
        try await fixture.stage(mail("a report")), to: [], queued: [StoreFixture.queuedMessage(["a@b.test"])],
        internalDate: StoreFixture.date, progress: progress)
      // What is counted later takes nothing of that away.
      try await store.setTransportResults([TransportResults(keys[0], results: "second")])
      let kept = try #require(try await store.transportResults(keys[0]))
      #expect(kept.results == "second" && kept.told == ["mailto:a@b.test", "https://b.test/"])
      try await store.removeTransportResults(keys[0])
      #expect(try await store.transportResults(keys[0]) == nil)
      #expect(try await store.transportResultsCount(of: 2) == 1)
    }
  }
}
