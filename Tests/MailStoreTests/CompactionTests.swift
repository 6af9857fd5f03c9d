import Foundation
import MessageFormat
import Synchronization
import Testing

@testable import MailStore

struct CompactionTests {
  /// A store in small packs of which much is purged, and some deleted and not purged yet.
  private struct Worn {
    let fixture: StoreFixture
    let alice: AccountID
    let bob: AccountID
    /// What alice and bob have, by their UIDs.
    var texts: [String]

    var store: MailStore { fixture.store }
    var engine: SQLiteEngine { store.engine as! SQLiteEngine }

    /// - Parameter dead: of ten messages, how many are gone.
    static func make(dead: Int = 8, hand: Hand, in fixture: StoreFixture) async throws -> Worn {
      var worn = Worn(
        fixture: fixture, alice: try await fixture.addAccount(), bob: try await fixture.addAccount("bob"), texts: [])
      try await worn.fill(120)
      let inbox = try await fixture.inbox(of: worn.alice)
      let gone = (1...120).filter { $0 % 10 < dead }.map { UID(rawValue: UInt32($0)) }
      _ = try await worn.store.expunge(in: inbox.id, uids: gone, onlyDeleted: false)
      hand.move(days: 31)
      _ = try await worn.store.purgeDeleted()
      // Deleted, and to be restored later.
      _ = try await worn.store.expunge(in: inbox.id, uids: [UID(rawValue: 9), UID(rawValue: 19)], onlyDeleted: false)
      return worn
    }

    /// Every twelfth goes to bob too, every fortieth is a large one.
    private mutating func fill(_ count: Int) async throws {
      for number in 1...count {
        let text = mail(
          "\(number)", id: number % 40 == 0 ? nil : "\(number)@x",
          body: String(repeating: "line \(number)\r\n", count: number % 40 == 0 ? 800 : 60))
        texts.append(text)
        let body = try await fixture.stage(text)
        let accounts = number % 12 == 0 ? [alice, bob] : [alice]
        for result in await store.deliver(
          body, to: accounts.map { LocalDelivery(account: $0, prefix: Array("Received: \($0.rawValue)\r\n".utf8)) },
          internalDate: StoreFixture.date)
        { _ = try result.get() }
      }
    }

    /// All that is in the mailboxes of a store, which may be another one than ours.
    func expectAllReadable(in other: StoreFixture? = nil, sourceLocation: SourceLocation = #_sourceLocation)
      async throws
    {
      let fixture = other ?? fixture
      for account in [alice, bob] {
        let inbox = try await fixture.inbox(of: account)
        let index = try await fixture.store.index(of: inbox.id)
        for (position, uid) in index.uids.enumerated() {
          let number = account == alice ? Int(uid.rawValue) : (position + 1) * 12
          guard number <= texts.count else { continue }
          #expect(
            try await fixture.text(uid, in: inbox.id) == "Received: \(account.rawValue)\r\n" + texts[number - 1],
            sourceLocation: sourceLocation)
        }
      }
    }
  }

  private static func small(_ hand: Hand) -> @Sendable (inout StoreOptions) -> Void {
    {
      $0.clock = hand.clock
      $0.packSize = 10_000
      $0.largeBodyThreshold = 5_000
    }
  }

  private func withWorn(dead: Int = 8, _ body: (Worn, Hand) async throws -> Void) async throws {
    let hand = Hand()
    try await StoreFixture.with(options: Self.small(hand)) { fixture in
      try await body(try await Worn.make(dead: dead, hand: hand, in: fixture), hand)
    }
  }

  private func packs(of path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path + "/packs").sorted()
  }

  private func octets(of path: String) throws -> Int64 {
    try packs(of: path).reduce(0) { $0 + FileAccess().size(of: "\(path)/packs/\($1)") }
  }

  @Test func `packs that are mostly dead give their room back, and all that is left is as it was`() async throws {
    try await withWorn { worn, hand in
      let before = try octets(of: worn.fixture.path)
      let names = try packs(of: worn.fixture.path)
      let statistics = try await worn.store.statistics()
      let news = Mutex<[OperationProgress]>([])
      let report = try await worn.store.compact { progress in news.withLock { $0.append(progress) } }
      #expect(report.packs >= 5 && report.unfit == [] && report.heldOctets == 0, "\(report)")
      let after = try octets(of: worn.fixture.path)
      #expect(before - after == report.savedOctets && report.octetsAfter * 2 < report.octetsBefore)
      #expect(statistics.deadPackOctets > report.savedOctets / 2)
      #expect(try await worn.store.statistics().deadPackOctets < statistics.deadPackOctets / 4)
      #expect(news.withLock { $0.last?.done == $0.last?.total && $0.last?.total == report.octetsBefore })
      // The same places, and the active pack is not touched.
      let newNames = try packs(of: worn.fixture.path)
      #expect(newNames.map { $0.split(separator: ".")[0] } == names.map { $0.split(separator: ".")[0] })
      #expect(newNames.filter { $0.hasSuffix(".1.pack") }.count == Int(report.packs))
      try await worn.expectAllReadable()
      // What could be restored still can.
      #expect(try await worn.store.restore(.mailbox(.inbox, since: nil), of: worn.alice).map(\.origin.uid) == [9, 19])
      let inbox = try await worn.fixture.inbox(of: worn.alice)
      #expect(try await worn.fixture.text(121, in: inbox.id).hasSuffix(worn.texts[8]))
      #expect(try await worn.store.compact().packs == 0)
      // The rest goes too, in another generation. The fixture's end reads all of it from the packs alone.
      _ = try await worn.store.expunge(in: inbox.id, uids: nil, onlyDeleted: false)
      hand.move(days: 31)
      _ = try await worn.store.purgeDeleted()
      let second = try await worn.store.compact(CompactionOptions(deadPercent: 25))
      #expect(second.packs > 0)
      #expect(try packs(of: worn.fixture.path).contains { $0.hasSuffix(".2.pack") })
      #expect(try await worn.fixture.append(mail("next"), of: worn.alice) == inbox.uidNext)
    }
  }

  @Test func `a pack that is mostly needed stays as it is, and a quarter is enough when somebody asks`() async throws {
    try await withWorn(dead: 4) { worn, _ in
      let names = try packs(of: worn.fixture.path)
      #expect(try await worn.store.compact().packs == 0)
      #expect(try packs(of: worn.fixture.path) == names)
      #expect(try await worn.store.compact(CompactionOptions(deadPercent: 25)).packs > 0)
      try await worn.expectAllReadable()
    }
  }

  // MARK: Crashes and failures

  /// Copies the folder before each file operation of a compaction, as a crash would leave it there, and after the last
  /// commit with the old packs still there.
  @Test func `after a crash at any step all is there, and no room is lost`() async throws {
    try await withWorn { worn, hand in
      let before = try octets(of: worn.fixture.path)
      let copies = Mutex<[String]>([])
      let path = worn.fixture.path
      worn.fixture.faults.set { _ in
        copies.withLock { copies in
          // Of the first packs, each step.
          guard copies.count < 30 else { return }
          let copy = "\(path)-crash-\(copies.count)"
          try? copyStore(at: path, to: copy)
          copies.append(copy)
        }
        return 0
      }
      let report = try await worn.engine.holds.holdingAsync { try await worn.store.compact() }
      #expect(report.heldOctets == report.octetsBefore)
      worn.fixture.faults.set(nil)
      let held = path + "-crash-held"
      try copyStore(at: path, to: held)
      for copy in copies.withLock({ $0 }) + [held] {
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let reopened = try await StoreFixture.make(path: copy, options: Self.small(hand))
        let names = try packs(of: copy)
        #expect(Set(names.map { $0.split(separator: ".")[0] }).count == names.count, "\(copy) \(names)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy + "/spool") == [])
        try await worn.expectAllReadable(in: reopened)
        let rest = try await reopened.store.compact()
        #expect(rest.packs + Int64(names.filter { $0.hasSuffix(".1.pack") }.count) == report.packs, "\(copy)")
        #expect(try octets(of: copy) == before - report.savedOctets)
        try await worn.expectAllReadable(in: reopened)
        await reopened.store.close()
        try await checkInvariants(of: copy)
      }
      #expect(copies.withLock { $0.count } == 30)
      // Here the old packs are still there; the next run removes them.
      #expect(try await worn.store.compact().packs == 0)
      #expect(try octets(of: path) == before - report.savedOctets)
    }
  }

  @Test(arguments: [ENOSPC, EIO])
  func `a step that fails costs nothing, and the next run completes it`(code: Int32) async throws {
    try await withWorn { worn, _ in
      let example = try await worn.fixture.reopenedCopy()
      let saved = try await example.store.compact().savedOctets
      try await example.end()
      let before = try octets(of: worn.fixture.path)
      var failures = 0
      while failures < 200 {
        let fault = OneFault(code, after: failures % 15)
        // Not what the store does beside it, such as writing the search index.
        worn.fixture.faults.set { operation in
          let path = operation.path
          return path.contains("/compacting") || path.contains("/packs") ? fault.code(for: operation) : 0
        }
        do throws(StoreError) {
          _ = try await worn.store.compact()
          if !fault.hasStruck { break }
        } catch {
          switch error {
          case .deviceFull, .inputOutput: break
          default: Issue.record("\(error)")
          }
        }
        failures += 1
        worn.fixture.faults.set(nil)
        try await worn.expectAllReadable()
        #expect(!FileManager.default.fileExists(atPath: worn.fixture.path + "/spool/compacting"))
      }
      worn.fixture.faults.set(nil)
      #expect(failures > 0 && failures < 200)
      _ = try await worn.store.compact()
      let names = try packs(of: worn.fixture.path)
      #expect(Set(names.map { $0.split(separator: ".")[0] }).count == names.count, "\(names)")
      #expect(before - (try octets(of: worn.fixture.path)) == saved)
      try await worn.expectAllReadable()
    }
  }

  @Test func `a store that is closed ends its compaction first`() async throws {
    try await withWorn { worn, _ in
      let before = try octets(of: worn.fixture.path)
      let begun = AsyncStream.makeStream(of: Void.self)
      let task = Task {
        try await worn.store.compact(CompactionOptions(octetsPerSecond: 20_000)) { _ in begun.continuation.yield() }
      }
      for await _ in begun.stream { break }
      await #expect(throws: StoreError.self) { _ = try await worn.store.compact() }
      await worn.store.close()
      await #expect(throws: StoreError.closed) { _ = try await task.value }
      await #expect(throws: StoreError.closed) { _ = try await worn.store.compact() }
      #expect(!FileManager.default.fileExists(atPath: worn.fixture.path + "/spool/compacting"))
      #expect(try octets(of: worn.fixture.path) == before)
    }
  }

  // MARK: Beside others

  @Test func `whoever reads meanwhile reads what there is`() async throws {
    try await withWorn { worn, _ in
      let isDone = Counter()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            repeat { try await worn.expectAllReadable() } while isDone.value == 0
          }
        }
        group.addTask {
          while isDone.value == 0 {
            let findings = try verify(worn.fixture.path).findings
            #expect(findings == [])
          }
        }
        group.addTask {
          defer { isDone.increment() }
          let report = try await worn.store.compact()
          #expect(report.packs > 0)
        }
        try await group.waitForAll()
      }
    }
  }

  /// A reader's state of the database may be older than the compaction.
  @Test func `a body whose pack was removed meanwhile is found where it is now`() async throws {
    try await withWorn { worn, _ in
      let inbox = try await worn.fixture.inbox(of: worn.alice)
      let entry = try await worn.store.entries(in: inbox.id, uids: [8]).first!
      let gate = AsyncStream.makeStream(of: Void.self)
      let isReading = AsyncStream.makeStream(of: Void.self)
      let reader = Task {
        try await worn.engine.reading { (database) throws(StoreError) in
          // The state is as of the first question.
          _ = try database.location(of: entry.content.bodyID)
          isReading.continuation.yield()
          let done = DispatchSemaphore(value: 0)
          Task {
            for await _ in gate.stream { break }
            done.signal()
          }
          done.wait()
          return try worn.engine.bodies.read(entry.content, range: 0..<entry.size, database: database)
        }
      }
      for await _ in isReading.stream { break }
      #expect(try await worn.store.compact().packs > 0)
      gate.continuation.yield()
      #expect(try await String(decoding: reader.value, as: UTF8.self).hasSuffix(worn.texts[7]))
    }
  }

  @Test func `a backup copies the new packs, drops the old ones, and an older one comes back as it was`() async throws {
    try await withWorn { worn, hand in
      let folder = worn.fixture.path + "-backup"
      let old = worn.fixture.path + "-old"
      let restored = worn.fixture.path + "-restored"
      defer { for path in [folder, old, restored] { try? FileManager.default.removeItem(atPath: path) } }
      let first = try await worn.store.backUp(to: folder)
      try FileManager.default.copyItem(atPath: folder, toPath: old)
      let report = try await worn.store.compact()
      let second = try await worn.store.backUp(to: folder, options: BackupOptions(verifies: true))
      #expect(second.copiedOctets == report.octetsAfter && second.octets == first.octets - report.savedOctets)
      #expect(second.verification?.findings == [] && second.damages == [])
      #expect(try packs(of: folder) == packs(of: worn.fixture.path))
      #expect(try await worn.store.backUp(to: folder).copiedOctets == 0)
      for backup in [old, folder] {
        try? FileManager.default.removeItem(atPath: restored)
        _ = try await WholeRestore(from: backup, to: restored, replaces: false, clock: hand.clock).run()
        let fixture = try await StoreFixture.make(path: restored, options: Self.small(hand))
        try await worn.expectAllReadable(in: fixture)
        await fixture.store.close()
        try await checkInvariants(of: restored)
      }
    }
  }

  // MARK: Repairs

  @Test func `of two packs in a place, a repair takes the one that store.db names, and else the compacted one`()
    async throws
  {
    try await withWorn { worn, hand in
      let before = worn.fixture.path + "-before"
      let both = worn.fixture.path + "-both"
      defer { for path in [before, both] { try? FileManager.default.removeItem(atPath: path) } }
      try FileManager.default.copyItem(atPath: worn.fixture.path, toPath: before)
      let report = try await worn.engine.holds.holdingAsync { try await worn.store.compact() }
      try FileManager.default.copyItem(atPath: worn.fixture.path, toPath: both)
      try await checkRebuilt(both)
      // Written, and not committed: store.db names the old ones.
      for name in try packs(of: both) where name.hasSuffix(".1.pack") {
        try FileManager.default.copyItem(atPath: "\(both)/packs/\(name)", toPath: "\(before)/packs/\(name)")
      }
      try await checkRebuilt(before)
      // Without the one that store.db names, the other will do.
      let missing = both + "-missing"
      defer { try? FileManager.default.removeItem(atPath: missing) }
      try FileManager.default.copyItem(atPath: both, toPath: missing)
      for name in try packs(of: missing) where name.hasSuffix(".1.pack") {
        try FileManager.default.removeItem(atPath: "\(missing)/packs/\(name)")
      }
      #expect(try Set(verify(missing).findings.map(\.kind)).isSuperset(of: [.packMissing, .bodyLost]))
      let replaced = try await repair(missing)
      #expect(replaced.isNeeded && replaced.lostCount == 0 && replaced.notes.count == Int(report.packs), "\(replaced)")
      let reopened = try await StoreFixture.make(path: missing, options: Self.small(hand))
      try await worn.expectAllReadable(in: reopened)
      await reopened.store.close()
      try await checkInvariants(of: missing)
      // One that is damaged at its beginning does not count while the old one is there.
      let lived = LivedInStore(path: both)
      let name = try #require(try packs(of: both).first { $0.hasSuffix(".1.pack") })
      try lived.flip(40, of: "\(both)/packs/\(name)")
      lived.removeDatabase()
      let plan = try await repair(both)
      #expect(plan.source == .packs && plan.lostCount == 0 && plan.damages == [], "\(plan)")
      let fixture = try await StoreFixture.make(path: both, options: Self.small(hand))
      try await worn.expectAllReadable(in: fixture)
      await fixture.store.close()
    }
  }

  /// With and without store.db, a repair finds what is there.
  private func checkRebuilt(_ path: String) async throws {
    let copy = path + "-checked"
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try copyStore(at: path, to: copy)
    #expect(try verify(copy).findings == [])
    let idle = try await StoreRepair.prepare(at: copy)
    #expect(!idle.plan.isNeeded, "\(idle.plan)")
    await idle.cancel()
    let before = try StoreDump(copy)
    LivedInStore(path: copy).removeDatabase()
    let plan = try await repair(copy)
    #expect(plan.source == .packs && plan.lostCount == 0 && plan.notes == [], "\(plan)")
    var after = try StoreDump(copy)
    after.tables["threads"] = before.tables["threads"]
    expectSame(after, before)
    #expect(try verify(copy).findings == [])
  }

  @Test func `where the news of a purge is lost, what it took is not reported as lost mail`() async throws {
    try await withWorn { worn, _ in
      _ = try await worn.store.compact()
      let path = worn.fixture.path + "-cut"
      defer { try? FileManager.default.removeItem(atPath: path) }
      try FileManager.default.copyItem(atPath: worn.fixture.path, toPath: path)
      let names = try packs(of: path)
      // The purge stands in the last packs; a compacted pack always has one after it.
      let last = try #require(names.compactMap { PackNumber($0.dropLast(5)) }.max())
      let lived = LivedInStore(path: path)
      for name in names where PackNumber(name.dropLast(5)) == last {
        try FileManager.default.removeItem(atPath: "\(path)/packs/\(name)")
      }
      lived.removeDatabase()
      let plan = try await repair(path)
      #expect(plan.lostCount == 0 && plan.lostDeletedCount == 0, "\(plan)")
      #expect(plan.source == .remains)
      // The record of a large body was in the pack that is missing.
      #expect(try verify(path).findings.allSatisfy { $0.kind == .fileUnknown })
    }
  }

  // MARK: Packs that stay

  @Test func `a pack that is damaged, has a baseline, or is of an old version stays as it is`() async throws {
    try await withWorn { worn, hand in
      await worn.store.close()
      let path = worn.fixture.path
      let lived = LivedInStore(path: path)
      try lived.flip(150, of: lived.pack(2))
      // The baseline of the repair comes into a pack of its own.
      try await repair(path)
      let fixture = try await StoreFixture.make(path: path, options: Self.small(hand))
      let inbox = try await fixture.inbox(of: worn.alice)
      for number in 0..<60 {
        try await fixture.append(mail("\(number)", body: String(repeating: "x\r\n", count: 200)), of: worn.alice)
      }
      let uids = try await fixture.store.index(of: inbox.id).uids
      _ = try await fixture.store.expunge(in: inbox.id, uids: uids.filter { $0.rawValue > 122 }, onlyDeleted: false)
      hand.move(days: 31)
      _ = try await fixture.store.purgeDeleted()
      let report = try await fixture.store.compact(CompactionOptions(deadPercent: 25))
      #expect(report.packs > 0)
      let reasons = Set(report.unfit.map(\.reason))
      #expect(reasons.isSuperset(of: ["a part of it cannot be read", "it has a baseline"]), "\(report.unfit)")
      // They are not read again each time.
      #expect(try await fixture.store.compact(CompactionOptions(deadPercent: 25)).unfit == [])
      await fixture.store.close()
    }
    let old = NSTemporaryDirectory() + "martlet-store-\(UUID().uuidString)"
    let origin = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Stores/0.1.0")
    try FileManager.default.copyItem(atPath: origin.path, toPath: old)
    let hand = Hand()
    hand.move(days: 10_000)
    let fixture = try await StoreFixture.make(path: old, options: Self.small(hand))
    for account in fixture.store.directory.accounts {
      let inbox = try await fixture.inbox(of: account.id)
      _ = try await fixture.store.expunge(in: inbox.id, uids: nil, onlyDeleted: false)
    }
    hand.move(days: 31)
    _ = try await fixture.store.purgeDeleted()
    let report = try await fixture.store.compact(CompactionOptions(deadPercent: 1))
    #expect(report.unfit.map(\.reason) == ["it was written by a version of before change records"])
    try await fixture.end()
  }

  @Test(arguments: [
    ("7", PackNumber(7)), ("7.1", PackNumber(7, generation: 1)), ("7.0", nil), ("7.-1", nil), ("x", nil),
    ("7.1.2", nil), ("", nil), ("7.99999999999", nil),
  ])
  func `a pack's name is its place and its generation`(text: String, number: PackNumber?) {
    #expect(PackNumber(text) == number)
    if let number {
      #expect("\(number)" == text)
      #expect(PackNumber(rawValue: number.rawValue) == number)
    }
  }
}

extension FileHolds {
  /// As a backup that takes its time.
  fileprivate func holdingAsync<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
    let (taken, release) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
    let thread = Thread {
      do throws(StoreError) {
        try self.holding {
          taken.continuation.yield()
          release.wait()
        }
      } catch {}
    }
    thread.start()
    for await _ in taken.stream { break }
    defer { release.signal() }
    return try await body()
  }
}
