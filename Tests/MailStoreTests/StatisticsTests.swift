import Foundation
import MailStore
import Metrics
import Synchronization
import Testing

@Suite struct StatisticsTests {
  @Test("statistics count what is there, and what can be restored")
  func contents() async throws {
    try await StoreFixture.with(options: { $0.largeBodyThreshold = 10_000 }) { fixture in
      let account = try await fixture.addAccount()
      let empty = try await fixture.store.statistics()
      for number in 1...3 { try await fixture.append(mail("\(number)"), of: account) }
      try await fixture.append(mail("large", body: String(repeating: "x", count: 20_000)), of: account)
      let inbox = try await fixture.inbox(of: account)
      _ = try await fixture.store.expunge(in: inbox.id, uids: [UID(rawValue: 2)], onlyDeleted: false)

      let full = try await fixture.store.statistics()
      #expect(empty.accounts == 1 && empty.messages == 0 && empty.largeBodies.count == 0)
      #expect(full.accounts == 1 && full.messages == 3 && full.deletedMessages == 1)
      #expect(full.mailboxes == empty.mailboxes)
      #expect(full.messageOctets == (try await fixture.inbox(of: account)).size)
      #expect(full.packs.count == 1 && full.packs.octets > empty.packs.octets)
      #expect(full.largeBodies.count == 1 && full.largeBodies.octets >= 20_000)
      #expect(full.databaseOctets + full.logOctets > 0)
    }
  }

  @Test("every commit is measured, with its flush and the octets it wrote")
  func measurements() async throws {
    let factory = TotalsFactory()
    try await StoreFixture.with(options: { $0.metrics = factory }) { fixture in
      let account = try await fixture.addAccount()
      let before = factory.totals
      try await fixture.append(mail("one"), of: account)
      let after = factory.totals
      func added(_ name: String) -> Int64 { after[name, default: 0] - before[name, default: 0] }
      #expect(added("martlet_store_commit_group_changes") == 1)
      #expect(added("martlet_store_queue_changes") == 1)
      #expect(added("martlet_store_written_bytes_total") > 60)
      #expect(added("martlet_store_flush_seconds") > 0)
      #expect(added("martlet_store_commit_seconds") >= added("martlet_store_flush_seconds"))
      #expect(added("martlet_store_commit_failures_total") == 0)

      fixture.faults.set { $0.isCommit ? ENOSPC : 0 }
      await #expect(throws: StoreError.self) { try await fixture.append(mail("two"), of: account) }
      fixture.faults.set(nil)
      #expect(factory.totals["martlet_store_commit_failures_total"] == 1)
    }
  }
}

/// Sums up what is recorded, by name.
private final class TotalsFactory: MetricsFactory, Sendable {
  private let sums = Mutex<[String: Int64]>([:])
  var totals: [String: Int64] { sums.withLock { $0 } }

  private final class Sum: CounterHandler, RecorderHandler, TimerHandler {
    let label: String
    let factory: TotalsFactory
    init(_ label: String, _ factory: TotalsFactory) { (self.label, self.factory) = (label, factory) }
    func increment(by amount: Int64) { factory.sums.withLock { $0[label, default: 0] += amount } }
    func reset() {}
    func record(_ value: Int64) { increment(by: value) }
    func record(_ value: Double) { increment(by: Int64(value)) }
    func recordNanoseconds(_ duration: Int64) { increment(by: duration) }
  }

  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Sum(label, self) }
  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    Sum(label, self)
  }
  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { Sum(label, self) }
  func destroyCounter(_ handler: any CounterHandler) {}
  func destroyRecorder(_ handler: any RecorderHandler) {}
  func destroyTimer(_ handler: any TimerHandler) {}
}
