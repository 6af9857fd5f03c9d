import Foundation
import MessageFormat
import SQLite
import Synchronization
import Testing

@testable import MailStore

struct BackupTests {
  /// A folder for a backup, removed afterwards.
  private func withFolder(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "martlet-backup-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private static let small: @Sendable (inout StoreOptions) -> Void = {
    $0.packSize = 20_000
    $0.largeBodyThreshold = 5_000
  }

  @Test func `a backup is the store, row by row`() async throws {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let before = try StoreDump(lived.path)
        let store = try await MailStore.open(at: lived.path)
        let report = try await store.backUp(to: folder, options: BackupOptions(verifies: true, version: "1 \"x\""))
        #expect(report.isSound && report.verification?.findings == [] && report.copiedOctets == report.octets)
        #expect((report.accounts, report.packs) == (3, Int64(try lived.packs.count)))
        await store.close()
        expectSame(try StoreDump(folder), before)
        let note = try JSONSerialization.jsonObject(
          with: try Data(contentsOf: URL(fileURLWithPath: folder + "/backup.json")))
        #expect((note as? [String: Any])?["messages"] as? Int64 == report.messages)
      }
    }
  }

  @Test func `backups of a store that is written to are whole, and have all that was acknowledged before`() async throws
  {
    try await StoreFixture.with(options: Self.small) { fixture in
      try await withFolder { folder in
        let store = fixture.store
        let acknowledged = Counter()
        let isDone = Counter()
        var accounts: [AccountID] = []
        for number in 0..<4 { accounts.append(try await fixture.addAccount("user\(number)")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
          for account in accounts {
            group.addTask {
              var round = 0
              while isDone.value == 0 {
                round += 1
                let size = round % 20 == 0 ? 9_000 : 300
                try await fixture.append(mail("\(round)", body: String(repeating: "x", count: size)), of: account)
                acknowledged.increment()
              }
            }
          }
          group.addTask {
            defer { isDone.increment() }
            for _ in 0..<5 {
              let least = acknowledged.value
              let report = try await store.backUp(to: folder, options: BackupOptions(verifies: true))
              #expect(report.verification?.findings == [] && report.damages == [])
              #expect(report.messages >= least)
            }
          }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test func `a second backup copies what is new and nothing else`() async throws {
    try await StoreFixture.with(options: Self.small) { fixture in
      try await withFolder { folder in
        let alice = try await fixture.addAccount()
        for number in 0..<100 {
          try await fixture.append(mail("\(number)", body: String(repeating: "x", count: 400)), of: alice)
        }
        try await fixture.append(mail("large", body: String(repeating: "x", count: 8_000)), of: alice)
        let first = try await fixture.store.backUp(to: folder)
        #expect(first.packs > 2 && first.largeFiles == 1 && first.copiedOctets == first.octets)
        let idle = try await fixture.store.backUp(to: folder)
        #expect(idle.copiedOctets == 0 && idle.octets == first.octets)
        try await fixture.append(mail("new"), of: alice)
        let second = try await fixture.store.backUp(to: folder, options: BackupOptions(verifies: true))
        #expect(second.copiedOctets == second.octets - first.octets && second.copiedOctets > 0)
        #expect(second.verification?.findings == [])
      }
    }
  }

  @Test func `a backup that failed at any file operation leaves the one before, and the next completes it`()
    async throws
  {
    try await StoreFixture.with(options: Self.small) { fixture in
      try await withFolder { folder in
        let alice = try await fixture.addAccount()
        for number in 0..<60 {
          try await fixture.append(mail("\(number)", body: String(repeating: "x", count: 400)), of: alice)
        }
        _ = try await fixture.store.backUp(to: folder)
        let old = try StoreDump(folder)
        for number in 0..<60 {
          try await fixture.append(mail("\(number)", body: String(repeating: "x", count: 400)), of: alice)
        }
        try await fixture.append(mail("large", body: String(repeating: "x", count: 8_000)), of: alice)
        var failures = 0
        while failures < 200 {
          let copy = "\(folder)-\(failures)"
          try FileManager.default.copyItem(atPath: folder, toPath: copy)
          defer { try? FileManager.default.removeItem(atPath: copy) }
          let fault = OneFault(ENOSPC, after: failures)
          fixture.faults.set { $0.path.contains("martlet-backup-") ? fault.code(for: $0) : 0 }
          defer { fixture.faults.set(nil) }
          do throws(StoreError) {
            _ = try await fixture.store.backUp(to: copy)
            if !fault.hasStruck { break }
            // It did without: a file that could not be removed.
          } catch {
            #expect(error == .deviceFull)
          }
          failures += 1
          fixture.faults.set(nil)
          // The old one or the new one, and whole.
          #expect(try verify(copy).hasDamage == false, "after \(failures)")
          let report = try await fixture.store.backUp(to: copy, options: BackupOptions(verifies: true))
          #expect(report.verification?.findings == [] && report.messages == 121)
          #expect(try StoreDump(copy) != old)
        }
        #expect(failures > 15 && failures < 200)
      }
    }
  }

  @Test func `damage in the store is found while it is copied`() async throws {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let pack = try lived.packs[1]
        try lived.flip(try lived.bytes(of: lived.pack(pack)).count - 10, of: lived.pack(pack))
        let store = try await MailStore.open(at: lived.path)
        let report = try await store.backUp(to: folder)
        await store.close()
        #expect(!report.isSound && report.damages.contains { $0.contains("\(pack).pack") })
      }
    }
  }

  @Test func `a backup is refused where it must not be`() async throws {
    try await StoreFixture.with { fixture in
      try await withFolder { folder in
        let store = fixture.store
        for path in ["relative", fixture.path, fixture.path + "/backup", "/proc/\(UUID().uuidString)"] {
          await #expect(throws: StoreError.self, "\(path)") { _ = try await store.backUp(to: path) }
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data([1]).write(to: URL(fileURLWithPath: folder + "/notes.txt"))
        await #expect(
          throws: StoreError.inputOutput(
            "\(FileAccess.canonicalPath(folder)!) is not a backup: there is notes.txt in it")
        ) {
          _ = try await store.backUp(to: folder)
        }
      }
    }
  }

  @Test func `packs of another store under the same numbers are copied again`() async throws {
    try await withFolder { folder in
      for _ in 0..<2 {
        try await StoreFixture.with(options: Self.small) { fixture in
          let alice = try await fixture.addAccount()
          for number in 0..<60 {
            try await fixture.append(mail("\(number)", body: String(repeating: "x", count: 400)), of: alice)
          }
          let report = try await fixture.store.backUp(to: folder, options: BackupOptions(verifies: true))
          #expect(report.copiedOctets == report.octets && report.verification?.findings == [])
        }
      }
    }
  }

  @Test func `a hold keeps files from being removed`() throws {
    let holds = FileHolds()
    try holds.holding { () throws(StoreError) in #expect(!holds.ifNone { Issue.record("removed") }) }
    #expect(holds.ifNone {})
  }

  // MARK: Whole

  @Test func `a whole restore has everything as it was, and never gives a UID again`() async throws {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let before = try StoreDump(lived.path)
        var store = try await MailStore.open(at: lived.path)
        _ = try await store.backUp(to: folder)
        let alice = store.directory.account(login: "alice@example.test")!.id
        let inbox = try await store.mailbox(named: .inbox, of: alice)!
        // Given after the backup.
        let lost = try await StoreFixture(path: lived.path, store: store, faults: Faults()).append(
          mail("lost"), of: alice)
        await store.close()

        let restore = WholeRestore(from: folder, to: lived.path, replaces: false)
        await #expect(throws: StoreError.self) { _ = try await restore.run() }
        let report = try await WholeRestore(from: folder, to: lived.path, replaces: true).run()
        #expect(try FileManager.default.contentsOfDirectory(atPath: report.replaced!).contains("store.db"))

        store = try await MailStore.open(at: lived.path)
        let restored = try await store.mailbox(named: .inbox, of: alice)!
        #expect(restored.uidValidity == inbox.uidValidity && restored.messageCount == inbox.messageCount)
        #expect(restored.uidNext > lost && restored.highestModSequence > inbox.highestModSequence)
        #expect(
          try await store.expunged(in: inbox.id, after: inbox.highestModSequence).contains {
            $0.contains(lost.rawValue)
          })
        let index = try await store.index(of: inbox.id)
        #expect(index.modSequences.allSatisfy { $0 > inbox.highestModSequence })
        let uid = try await StoreFixture(path: lived.path, store: store, faults: Faults()).append(
          mail("new"), of: alice)
        #expect(uid == restored.uidNext)
        await store.close()
        try await checkInvariants(of: lived.path)
        try await expectRestored(folder, before)
      }
    }
  }

  /// Restores into a new directory, and compares all but the counters that jump.
  private func expectRestored(_ folder: String, _ before: StoreDump) async throws {
    let path = NSTemporaryDirectory() + "martlet-restored-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try await WholeRestore(from: folder, to: path, replaces: false).run().replaced == nil)
    let after = try StoreDump(path)
    for table in ["domains", "accounts", "app_passwords", "aliases", "subscriptions", "bodies", "messages", "threads"] {
      #expect(after.tables[table] == before.tables[table], "\(table)")
    }
    func rows(_ dump: StoreDump, _ table: String, without columns: Set<Int>) -> [[Substring]] {
      dump.tables[table]!.map { row in
        row.split(separator: " ").enumerated().filter { !columns.contains($0.offset) }.map(\.element)
      }
    }
    #expect(rows(after, "entries", without: [5]) == rows(before, "entries", without: [5]))
    #expect(rows(after, "mailboxes", without: [6, 7]) == rows(before, "mailboxes", without: [6, 7]))
    try await checkInvariants(of: path)
  }

  @Test func `a whole restore that failed at any file operation is completed by the next, and no store is lost`()
    async throws
  {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let store = try await MailStore.open(at: lived.path)
        let report = try await store.backUp(to: folder)
        await store.close()
        var failures = 0
        var isDone = false
        while !isDone, failures < 300 {
          try await LivedInStore.with { old in
            let count = Counter()
            let target = failures
            let restore = WholeRestore(from: folder, to: old.path, replaces: true) { _ in
              count.increment()
              return count.value == target + 1 ? EIO : 0
            }
            do {
              _ = try await restore.run()
              isDone = true
              return
            } catch is StoreError {
              failures += 1
            }
            // The old one, the new one, or a store that says that a restore must be run again: never an empty one.
            do throws(StoreError) {
              let store = try await MailStore.open(at: old.path)
              #expect(store.directory.accounts.count == 3)
              await store.close()
            } catch {
              guard case .corrupt = error else { throw error }
            }
            _ = try await WholeRestore(from: folder, to: old.path, replaces: true).run()
            let verification = try verify(old.path)
            #expect(verification.findings == [] && verification.messages == report.messages, "after \(failures)")
          }
        }
        #expect(isDone && failures > 15)
      }
    }
  }

  @Test func `a damaged backup is not restored`() async throws {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let store = try await MailStore.open(at: lived.path)
        _ = try await store.backUp(to: folder)
        await store.close()
        try lived.truncate(folder + "/packs/2.pack", to: 100)
        let path = folder + "/../martlet-restored-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        await #expect(throws: StoreError.self) {
          _ = try await WholeRestore(from: folder, to: path, replaces: false).run()
        }
        #expect(!FileManager.default.fileExists(atPath: path + "/store.db"))
      }
    }
  }

  // MARK: Additive

  @Test func `what is missing comes back with flags and dates, once, and subscribers hear of it`() async throws {
    try await StoreFixture.with(options: Self.small) { fixture in
      try await withFolder { folder in
        let store = fixture.store
        let alice = try await fixture.addAccount()
        let flags = MessageFlags([.seen, .flagged], keywords: [Keyword("$Forwarded")])
        for number in 0..<30 {
          try await fixture.append(
            mail("\(number)", body: String(repeating: "x", count: number == 7 ? 9_000 : 50)), of: alice, flags: flags)
        }
        let delivered = try await fixture.stage(mail("delivered"))
        _ = await store.deliver(
          delivered, to: [LocalDelivery(account: alice, prefix: Array("Return-Path: <x@y>\r\n".utf8))],
          internalDate: StoreFixture.date)
        // Twice the same: both come back.
        for _ in 0..<2 { try await fixture.append(mail("twin"), to: "Archive", of: alice) }
        let inbox = try await fixture.inbox(of: alice)
        _ = try await store.backUp(to: folder)

        _ = try await store.expunge(in: inbox.id, uids: (3...20).map { UID(rawValue: $0) } + [31], onlyDeleted: false)
        let archive = try await store.mailbox(named: "Archive", of: alice)!
        _ = try await store.expunge(in: archive.id, uids: [1, 2], onlyDeleted: false)
        try await store.deleteMailbox("Archive", of: alice)
        let address = EmailAddress("alice@example.test")!
        func restore(_ selection: RestoreSelection) async throws -> RestoreReport {
          try await store.restore(selection, from: folder)
        }
        let woken = Counter()
        let subscription = store.subscribe(to: alice) { woken.increment() }

        let dry = try await restore(RestoreSelection(account: address, isDryRun: true))
        #expect(dry.restored == 21 && woken.value == 0)
        let one = try await restore(
          RestoreSelection(account: address, mailbox: .inbox, uid: 8, destination: "Back/one"))
        #expect(one.restored == 1 && one.mailboxes[0].isNew)
        let first = try await restore(RestoreSelection(account: address, mailbox: .inbox))
        #expect(first.restored == 19 && first.mailboxes[0].present == 12 && woken.value > 0)
        let all = try await restore(RestoreSelection(account: address))
        #expect(all.restored == 2 && !all.isNewAccount)
        #expect(try await restore(RestoreSelection(account: address)).restored == 0)
        _ = subscription

        let index = try await store.index(of: inbox.id)
        #expect(index.uids.count == 31 && index.uids.last == 50)
        let entries = try await store.entries(in: inbox.id, uids: Array(index.uids.suffix(19)))
        #expect(entries.dropLast().allSatisfy { $0.flags == flags && $0.internalDate == StoreFixture.date })
        #expect(try await fixture.text(50, in: inbox.id) == "Return-Path: <x@y>\r\n" + mail("delivered"))
        #expect(try await store.mailbox(named: "Archive", of: alice)?.messageCount == 2)
        #expect(try await store.mailbox(named: "Archive", of: alice)?.specialUse == .archive)

        await #expect(throws: StoreError.messageNotFound) {
          _ = try await restore(RestoreSelection(account: address, mailbox: .inbox, uid: 999))
        }
        await #expect(throws: StoreError.mailboxNotFound) {
          _ = try await restore(RestoreSelection(account: address, mailbox: "None"))
        }
      }
    }
  }

  @Test func `an account that is gone is made again with its secrets`() async throws {
    try await LivedInStore.with { lived in
      try await withFolder { folder in
        let store = try await MailStore.open(at: lived.path)
        _ = try await store.backUp(to: folder)
        let old = store.directory.account(login: "alice@example.test")!
        let count = try await store.quotaUsage(of: old.id)
        try await store.removeAccount(old.id)
        let report = try await store.restore(RestoreSelection(account: old.address), from: folder)
        let new = store.directory.account(login: "alice@example.test")!
        #expect(report.isNewAccount && new.id != old.id)
        #expect(new.secrets == old.secrets && new.appPasswords == old.appPasswords && new.quota == old.quota)
        let usage = try await store.quotaUsage(of: new.id)
        #expect(usage.bytes == count.bytes && usage.messages == count.messages)
        await store.close()
        try await checkInvariants(of: lived.path)
      }
    }
  }

  @Test func `a message that the backup has damaged is left out and counted`() async throws {
    try await StoreFixture.with { fixture in
      try await withFolder { folder in
        let alice = try await fixture.addAccount()
        for number in 0..<3 { try await fixture.append(mail("\(number)"), of: alice) }
        _ = try await fixture.store.backUp(to: folder)
        let inbox = try await fixture.inbox(of: alice)
        _ = try await fixture.store.expunge(in: inbox.id, uids: nil, onlyDeleted: false)
        let lived = LivedInStore(path: folder)
        // A letter of the last body, before the record of what else happened.
        let bytes = try lived.bytes(of: lived.pack(1))
        let place = bytes.indices.last { bytes[$0...].starts(with: Array("Subject: 2".utf8)) }!
        try lived.flip(place, of: lived.pack(1))
        let report = try await fixture.store.restore(
          RestoreSelection(account: EmailAddress("alice@example.test")!, mailbox: .inbox), from: folder)
        #expect(report.restored == 2 && report.damaged == 1)
      }
    }
  }
}
