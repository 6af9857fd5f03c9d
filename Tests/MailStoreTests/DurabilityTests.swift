import Foundation
import MailStore
import MessageFormat
import SQLite
import Testing

#if canImport(Glibc)
  import Glibc
#endif

struct DurabilityTests {
  @Test func `a second process finds the store locked, one without its index is refused`() async throws {
    let fixture = try await StoreFixture.make()
    await #expect(throws: StoreError.locked) { _ = try await MailStore.open(at: fixture.path) }
    await fixture.store.close()
    await #expect(throws: StoreError.closed) { try await fixture.store.addDomain(StoreFixture.domain) }
    let again = try await MailStore.open(at: fixture.path)
    await again.close()
    // Without its index a store with mail is for repair, not for a fresh start.
    try FileManager.default.createDirectory(atPath: fixture.path + "/packs", withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: fixture.path + "/packs/1.pack"))
    try FileManager.default.removeItem(atPath: fixture.path + "/store.db")
    await #expect(throws: (any Error).self) { _ = try await MailStore.open(at: fixture.path) }
    try FileManager.default.removeItem(atPath: fixture.path)
  }

  @Test func `what was acknowledged is there after a crash, what was not is not`() async throws {
    try await StoreFixture.with {
      $0.packSize = 10_000
    } _: { fixture in
      let alice = try await fixture.addAccount()
      for round in 0..<4 {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<20 {
            group.addTask {
              try await fixture.append(mail("\(round).\(number)", body: String(repeating: "x", count: 700)), of: alice)
            }
          }
          try await group.waitForAll()
        }
        // The rest of a group that was flushed and never committed.
        let inbox = try await fixture.inbox(of: alice)
        let copy = fixture.path + "-crash-\(round)"
        try copyStore(at: fixture.path, to: copy)
        let packs = try FileManager.default.contentsOfDirectory(atPath: copy + "/packs")
        let last = packs.compactMap { Int($0.dropLast(5)) }.max()!
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: copy + "/packs/\(last).pack"))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(repeating: 7, count: 5_000))
        try handle.close()
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: copy + "/spool/99"))
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: copy + "/large/99999999"))
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: copy + "/packs/\(last + 1).pack"))
        let crashed = try await StoreFixture.make(path: copy)
        #expect(try await crashed.inbox(of: alice) == inbox)
        let index = try await crashed.store.index(of: inbox.id)
        #expect(index.uids.map(\.rawValue) == Array(1...UInt32(20 * (round + 1))))
        for uid in index.uids { #expect(try await crashed.text(uid, in: inbox.id).hasPrefix("From: a@example.test")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy + "/spool").isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy + "/large").isEmpty)
        #expect(try await crashed.append(mail("next"), of: alice) == inbox.uidNext)
        try await crashed.end()
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path + "/packs").count > 2)
    }
  }

  enum Fault: CaseIterable {
    case packWriteFull, packFlush, packWriteError, commitFull, commitError, largeRename, largeDirectory

    func code(_ operation: FileOperation) -> Int32 {
      switch (self, operation) {
      case (.packWriteFull, .write(let path, _, _)) where path.hasSuffix(".pack"): ENOSPC
      case (.packWriteError, .write(let path, _, _)) where path.hasSuffix(".pack"): EIO
      case (.packFlush, .flush(let path)) where path.hasSuffix(".pack"): EIO
      case (.commitFull, .write(let path, _, _)) where path.hasSuffix("-wal"): ENOSPC
      case (.commitError, .write(let path, _, _)) where path.hasSuffix("-wal"): EIO
      case (.largeRename, .rename(_, to: let path)) where path.contains("/large/"): ENOSPC
      case (.largeDirectory, .flushDirectory(let path)) where path.hasSuffix("/large"): EIO
      default: 0
      }
    }

    var isFull: Bool { self == .packWriteFull || self == .commitFull || self == .largeRename }
    var isOnlyForLarge: Bool { self == .largeRename || self == .largeDirectory }
  }

  @Test(arguments: Fault.allCases)
  func `a failing device fails the group, and the store goes on`(fault: Fault) async throws {
    try await StoreFixture.with {
      $0.largeBodyThreshold = 4_000
    } _: { fixture in
      let alice = try await fixture.addAccount()
      let feed = fixture.store.subscribe(to: alice) {}
      try await fixture.append(mail("before"), of: alice)
      let inbox = try await fixture.inbox(of: alice)
      _ = try await fixture.store.index(of: inbox.id)
      _ = feed.drain()
      let text = mail("fails", body: String(repeating: "y", count: fault.isOnlyForLarge ? 9_000 : 100))
      let body = try await fixture.stage(text)
      fixture.faults.set { fault.code($0) }
      for _ in 0..<2 {
        let result = await fixture.store.deliver(
          body, to: [LocalDelivery(account: alice, prefix: [])], internalDate: StoreFixture.date)[0]
        switch result {
        case .success: Issue.record("should have failed")
        case .failure(.deviceFull): #expect(fault.isFull)
        case .failure(.inputOutput): #expect(!fault.isFull)
        case .failure(let error): Issue.record("\(error)")
        }
      }
      #expect(feed.isEmpty)
      #expect(try await fixture.inbox(of: alice) == inbox)
      fixture.faults.set(nil)
      let result = await fixture.store.deliver(
        body, to: [LocalDelivery(account: alice, prefix: [])], internalDate: StoreFixture.date)[0]
      #expect(try result.get().uids == [2])
      try await fixture.append(mail("after"), of: alice)
      #expect(try await fixture.store.index(of: inbox.id).uids == [1, 2, 3])
      let crashed = try await fixture.reopenedCopy()
      #expect(try await crashed.text(1, in: inbox.id) == mail("before"))
      #expect(try await crashed.text(2, in: inbox.id) == text)
      #expect(try await crashed.text(3, in: inbox.id) == mail("after"))
      #expect(try await crashed.inbox(of: alice) == fixture.inbox(of: alice))
      try await crashed.end()
    }
  }

  @Test func `where the log cannot be flushed changes fail, and messages that the pack commits come in`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      fixture.faults.set { if case .flush(let path) = $0, path.hasSuffix("-wal") { EIO } else { 0 } }
      let domain = try #require(Domain("new.test"))
      await #expect(throws: StoreError.self) { try await fixture.store.addDomain(domain) }
      #expect(!fixture.store.directory.isLocal(domain))
      // The first goes to a new pack, which the log must know of.
      await #expect(throws: StoreError.self) { try await fixture.append(mail("never"), of: alice) }
      fixture.faults.set(nil)
      #expect(try await fixture.append(mail("1"), of: alice) == 1)
      fixture.faults.set { if case .flush(let path) = $0, path.hasSuffix("-wal") { EIO } else { 0 } }
      #expect(try await fixture.append(mail("2"), of: alice) == 2)
      fixture.faults.set(nil)
    }
  }

  /// Enough at a time that the pack is flushed while rows are put into the database.
  private func deliverMany(to accounts: [AccountID], in fixture: StoreFixture) async throws
    -> [AccountID: [Result<AppendResult, StoreError>]]
  {
    let body = try await fixture.stage(mail("many"))
    return await withTaskGroup(of: (AccountID, Result<AppendResult, StoreError>).self) { group in
      for number in 0..<60 {
        let account = accounts[number % accounts.count]
        group.addTask {
          let delivery = LocalDelivery(account: account, prefix: Array("X-Number: \(number)\r\n".utf8))
          return (account, await fixture.store.deliver(body, to: [delivery], internalDate: StoreFixture.date)[0])
        }
      }
      var results: [AccountID: [Result<AppendResult, StoreError>]] = [:]
      for await (account, result) in group { results[account, default: []].append(result) }
      return results
    }
  }

  @Test(arguments: [Fault.packWriteFull, .packWriteError, .packFlush, .commitFull, .commitError])
  func `a failing device fails many messages at once, and the store goes on`(fault: Fault) async throws {
    try await StoreFixture.with { fixture in
      let accounts = [try await fixture.addAccount(), try await fixture.addAccount("bob")]
      fixture.faults.set { fault.code($0) }
      for results in try await deliverMany(to: accounts, in: fixture).values {
        for case .success in results { Issue.record("should have failed") }
      }
      for account in accounts { #expect(try await fixture.inbox(of: account).messageCount == 0) }
      fixture.faults.set(nil)
      for results in try await deliverMany(to: accounts, in: fixture).values {
        #expect(Set(try results.flatMap { try $0.get().uids }) == Set((1...30).map { UID(rawValue: $0) }))
      }
      let crashed = try await fixture.reopenedCopy()
      for account in accounts {
        #expect(try await crashed.inbox(of: account) == fixture.inbox(of: account))
      }
      try await crashed.end()
    }
  }

  @Test func `a row that cannot be put in fails its own change, and not its neighbours`() async throws {
    try await StoreFixture.with { fixture in
      let (alice, bob) = (try await fixture.addAccount(), try await fixture.addAccount("bob"))
      let inbox = try await fixture.inbox(of: alice)
      let database = try Database(path: fixture.path + "/store.db", access: .writing)
      try database.run(
        "INSERT INTO entries (mailbox, uid, message, flags, modseq, saved) VALUES (?, 1, 1, 0, 1, 0)",
        [.integer(inbox.id.rawValue)])
      let results = try await deliverMany(to: [alice, bob], in: fixture)
      for case .success in results[alice] ?? [] { Issue.record("its UID was taken") }
      #expect(Set(try (results[bob] ?? []).flatMap { try $0.get().uids }) == Set((1...30).map { UID(rawValue: $0) }))
      #expect(try await fixture.inbox(of: alice) == inbox)
      try database.run("DELETE FROM entries WHERE mailbox = ?", [.integer(inbox.id.rawValue)])
      #expect(try await fixture.append(mail("next"), of: alice) == 1)
    }
  }

  @Test func `when a group fails, nobody in it is told of what its neighbours would have made`() async throws {
    try await StoreFixture.with { fixture in
      fixture.faults.set { Fault.commitFull.code($0) }
      let domain = try #require(Domain("new.test"))
      await withTaskGroup(of: StoreError?.self) { group in
        for _ in 0..<50 {
          group.addTask {
            do throws(StoreError) { try await fixture.store.addDomain(domain) } catch { return error }
            return nil
          }
        }
        for await error in group { #expect(error == .deviceFull) }
      }
      fixture.faults.set(nil)
      try await fixture.store.addDomain(domain)
    }
  }

  @Test func `staging gives its memory and files back`() async throws {
    try await StoreFixture.with {
      $0.stagingBudget = 10_000
      $0.largeBodyThreshold = 8_000
    } _: { fixture in
      for _ in 0..<20 {
        let small = fixture.store.stageBody(expectedSize: 100)
        try await small.append([UInt8](repeating: 65, count: 3_000))
        let large = fixture.store.stageBody(expectedSize: nil)
        for _ in 0..<50 { try await large.append([UInt8](repeating: 66, count: 3_000)) }
        #expect(large.size == 150_000)
        large.discard()
        _ = try await small.finish()
      }
      let inUse = try FileManager.default.contentsOfDirectory(atPath: fixture.path + "/spool")
      // Removed by a thread of the store's; with the last it is over.
      await fixture.store.close()
      #expect(inUse.count <= 20)
      #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path + "/spool").isEmpty)
    }
  }

  @Test func `a crash before the file of a purged body is gone leaves it to the next start`() async throws {
    let hand = Hand()
    try await StoreFixture.with {
      $0.clock = hand.clock
      $0.largeBodyThreshold = 3_000
    } _: { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("large", body: String(repeating: "x", count: 5_000)), of: alice)
      let inbox = try await fixture.inbox(of: alice)
      let large = fixture.path + "/large"
      let name = try #require(try FileManager.default.contentsOfDirectory(atPath: large).first)
      let contents = try Data(contentsOf: URL(fileURLWithPath: "\(large)/\(name)"))
      _ = try await fixture.store.expunge(in: inbox.id, uids: [1], onlyDeleted: false)
      hand.move(days: 31)
      fixture.faults.set { if case .flushDirectory(large) = $0 { 5 } else { 0 } }
      await #expect(throws: StoreError.self) { _ = try await fixture.store.purgeDeleted() }
      fixture.faults.set(nil)
      // As if the removal had not reached the disk.
      try contents.write(to: URL(fileURLWithPath: "\(large)/\(name)"))
      #expect(try await fixture.store.verify(VerificationOptions()).findings == [])
      let copy = try await fixture.reopenedCopy()
      #expect(try FileManager.default.contentsOfDirectory(atPath: copy.path + "/large").isEmpty)
      try await copy.end()
    }
  }
}
