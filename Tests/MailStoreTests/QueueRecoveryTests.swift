import Foundation
import MessageFormat
import Testing

@testable import MailStore

@Suite struct QueueRecoveryTests {
  private let time = StoreFixture.queueTime

  @Test("a crash loses nothing of the queue, nor does the loss of store.db, and nothing that is done with comes back")
  func survives() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      for name in ["kept", "done", "held", "failed"] { try await fixture.enqueue(["\(name)@\(name).test"]) }
      try await fixture.finish(try await fixture.deliveries("done.test")[0])
      try await fixture.store.settle(destination: "done.test", .reached)
      #expect(try await fixture.store.perform(.hold, on: QueueFilter(domain: "held.test")) == 1)
      let failed = try await fixture.deliveries("failed.test")[0]
      var progress = QueueProgress()
      progress.outcomes = [(failed.id(0), .report(at: time, result: "550 no"))]
      try await fixture.store.note(progress)

      for removesDatabase in [false, true] {
        let copy = fixture.path + "-copy-\(removesDatabase)"
        try copyStore(at: fixture.path, to: copy)
        if removesDatabase {
          for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: copy + "/store.db" + suffix) }
          try await repair(copy)
        }
        let again = try await StoreFixture.make(path: copy)
        #expect(
          try await again.queueStates() == ["kept@kept.test waiting", "held@held.test held", "failed@failed.test reporting"])
        #expect(try await again.due().contains("kept.test"))
        #expect(try await again.store.dueReports(at: time, limit: 10).map(\.recipients[0].result) == ["550 no"])
        try await again.end()
      }
    }
  }

  @Test("after a whole restore of a backup nothing is sent that may have been sent since")
  func restoredQueueIsHeld() async throws {
    try await StoreFixture.with { fixture in
      _ = try await fixture.addAccount()
      try await fixture.enqueue(["a@one.test"])
      let backup = fixture.path + "-backup"
      let place = fixture.path + "-restored"
      defer { for path in [backup, place] { try? FileManager.default.removeItem(atPath: path) } }
      _ = try await fixture.store.backUp(to: backup, options: BackupOptions(version: "1", hostname: nil))
      _ = try await WholeRestore(from: backup, to: place, replaces: false, clock: .system).run()
      let restored = try await StoreFixture.make(path: place)
      #expect(try await restored.queueStates() == ["a@one.test held"])
      #expect(try await restored.due() == [])
      #expect(try await restored.store.perform(.release, on: QueueFilter()) == 1)
      #expect(try await restored.due(at: Timestamp(seconds: 4_000_000_000)) == ["one.test"])
      try await restored.end()
    }
  }
}
