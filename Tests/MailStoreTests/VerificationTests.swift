import Foundation
import MessageFormat
import SQLite
import Synchronization
import Testing

@testable import MailStore

struct VerificationTests {
  @Test func `a sound store is clean, and its numbers are told`() async throws {
    try await LivedInStore.with { store in
      let report = try verify(store.path)
      #expect(report.findings == [])
      #expect((report.accounts, report.packs) == (3, Int64(try store.packs.count)))
      let dump = try StoreDump(store.path)
      #expect(report.messages == Int64(dump.tables["entries"]!.count))
      #expect(report.bodies == Int64(dump.tables["bodies"]!.count))
    }
  }

  /// What someone did to the database, and what is found. Foreign keys are off while it is done.
  struct Harm: Sendable, CustomTestStringConvertible {
    let sql: StaticString
    let kinds: Set<StoreFinding.Kind>
    var testDescription: String { "\(sql)" }
    init(_ sql: StaticString, _ kinds: Set<StoreFinding.Kind>) {
      self.sql = sql
      self.kinds = kinds
    }
  }

  static let harms = [
    Harm("UPDATE mailboxes SET messages = messages + 1 WHERE name = 'Archive'", [.mailboxCounters]),
    Harm("UPDATE mailboxes SET unseen = 0, size = size - 1 WHERE name = 'INBOX'", [.mailboxCounters]),
    Harm("UPDATE mailboxes SET deleted = 7", [.mailboxCounters]),
    Harm("UPDATE mailboxes SET uid_next = 2 WHERE name = 'Archive'", [.entry, .vanished, .deletedEntry]),
    Harm("UPDATE mailboxes SET modseq = 1 WHERE name = 'Everything'", [.entry]),
    Harm("UPDATE mailboxes SET first_recent = uid_next + 1", [.mailbox]),
    Harm("UPDATE mailboxes SET uid_validity = 0 WHERE name = 'Junk'", [.mailbox]),
    Harm("UPDATE mailboxes SET uid_validity = 4294967295 WHERE name = 'Junk'", [.mailbox]),
    Harm("UPDATE mailboxes SET selectable = 0 WHERE name = 'Archive'", [.mailbox]),
    Harm("UPDATE mailboxes SET name = 'a//b' WHERE name = 'Drafts'", [.mailbox]),
    Harm("DELETE FROM mailboxes WHERE name = 'Job'", [.mailbox]),
    Harm("DELETE FROM mailboxes WHERE name = 'Archive'", [.entry, .message]),
    Harm("DELETE FROM mailboxes WHERE name = 'INBOX'", [.account, .entry, .message]),
    Harm("UPDATE entries SET modseq = 9999 WHERE uid = 4", [.entry]),
    Harm("UPDATE entries SET flags = 64 WHERE uid = 4", [.entry, .mailboxCounters]),
    Harm("DELETE FROM entries WHERE uid = 4", [.mailboxCounters, .message]),
    Harm("DELETE FROM messages WHERE id = (SELECT message FROM entries LIMIT 1)", [.entry, .mailboxCounters]),
    Harm("UPDATE messages SET orphaned_at = 5 WHERE entries > 0", [.message]),
    Harm("UPDATE messages SET orphaned_at = NULL WHERE entries = 0", [.message]),
    Harm("UPDATE messages SET entries = entries + 1 WHERE entries > 0", [.message]),
    Harm("UPDATE messages SET internal_date = 5 WHERE entries > 0", [.recordContradicts]),
    Harm("UPDATE messages SET prefix = x'' WHERE entries > 0", [.message, .recordContradicts]),
    Harm("UPDATE messages SET account = 99999 WHERE entries > 0", [.entry, .message, .recordContradicts]),
    Harm("DELETE FROM bodies WHERE id = (SELECT max(body) FROM messages WHERE entries > 0)", [.message]),
    Harm("UPDATE bodies SET structure = x'0100' WHERE pack = 2", [.structure]),
    Harm("UPDATE bodies SET checksum = 0 WHERE id = (SELECT max(body) FROM messages WHERE entries > 0)", [.bodyLost]),
    Harm("UPDATE bodies SET position = position + 1 WHERE id = (SELECT max(id) FROM bodies)", [.bodyLost]),
    Harm("UPDATE bodies SET pack = 99 WHERE id = (SELECT max(id) FROM bodies)", [.bodyLost]),
    Harm("INSERT INTO vanished SELECT mailbox, 2, uid, uid FROM entries", [.vanished]),
    Harm(
      "INSERT INTO entries SELECT 99999, uid, message, flags, keywords, modseq, saved FROM entries LIMIT 1", [.entry]),
    Harm("UPDATE state SET value = 5 WHERE name = 'next_id'", [.counterOfIDs]),
    Harm("UPDATE accounts SET lookup_key = 'x' WHERE local_part = 'bob'", [.account]),
    Harm("UPDATE accounts SET domain = 'not a domain' WHERE local_part = 'bob'", [.account, .database]),
    Harm("UPDATE aliases SET targets = 'zoe@example.test'", []),
    Harm("DELETE FROM domains", [.database]),
    Harm("DELETE FROM deleted_entries", []),
    Harm("UPDATE deleted_entries SET message = 1", [.deletedEntry]),
    Harm("UPDATE deleted_entries SET account = account + 1000, flags = 64, name = 'a//b'", [.deletedEntry]),
    Harm(
      """
      INSERT INTO deleted_entries SELECT m.account, 5, e.mailbox, e.uid, 'INBOX', e.message, 0, NULL FROM entries e
      JOIN messages m ON m.id = e.message
      """, [.deletedEntry]),
    Harm("DELETE FROM imports", [.importHistory]),
    Harm("UPDATE imports SET account = 99999", [.importHistory]),
    Harm("UPDATE imports SET uid_validity = 5, uid_next = 5", []),
    Harm("DELETE FROM imported", []),
    Harm("UPDATE imported SET flags = 31", []),
  ]

  @Test(arguments: harms)
  func `harm to the database is found, and repaired from the packs`(harm: Harm) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      do {
        let database = try Database(path: store.path + "/store.db", access: .writing)
        try database.execute("PRAGMA foreign_keys = OFF")
        try database.run(harm.sql)
        try database.checkpoint(.truncating)
      }
      #expect(Set(try verify(store.path).findings.map(\.kind)) == harm.kinds)
      let plan = try await repair(store.path)
      #expect(plan.lostCount == 0, "\(plan)")
      expectSame(try StoreDump(store.path), before)
      #expect(try verify(store.path).findings == [])
    }
  }

  @Test func `files that do not belong are named`() async throws {
    try await LivedInStore.with { store in
      let names: Set = ["packs/notes.txt", "packs/99.pack", "large/7", "large/x"]
      for name in names { try store.write([1], to: "\(store.path)/\(name)") }
      let findings = try verify(store.path).findings
      #expect(Set(findings.map(\.subject)) == names)
      #expect(findings.allSatisfy { $0.severity == .warning })
    }
  }

  @Test func `an alias that leads nowhere is named`() async throws {
    try await StoreFixture.with { fixture in
      let alias = Alias(pattern: .address(EmailAddress("a@example.test")!), targets: [EmailAddress("b@example.test")!])
      try await fixture.store.setAlias(alias)
      let report = try await fixture.store.verify(VerificationOptions())
      #expect(report.findings.map(\.kind) == [.alias] && !report.hasDamage)
      try await fixture.store.removeAlias(alias.pattern)
    }
  }

  @Test func `a store that is written to is clean all the time`() async throws {
    try await StoreFixture.with {
      $0.packSize = 100_000
      $0.largeBodyThreshold = 5_000
    } _: { fixture in
      let store = fixture.store
      var accounts: [AccountID] = []
      for number in 0..<4 { accounts.append(try await fixture.addAccount("user\(number)")) }
      let isDone = Counter()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, account) in accounts.enumerated() {
          group.addTask {
            let inbox = try await fixture.inbox(of: account)
            var round = 0
            while isDone.value == 0 {
              round += 1
              let size = round % 20 == 0 ? 9_000 : 300
              let uid = try await fixture.append(
                mail("\(number).\(round)", body: String(repeating: "x", count: size)), of: account)
              _ = try await store.changeFlags(in: inbox.id, uids: [uid], .add(MessageFlags(.seen)), unchangedSince: nil)
              if round % 3 == 0 { _ = try await store.move([uid], from: inbox.id, to: "Archive", of: account) }
              if round % 5 == 0 { _ = try await store.expunge(in: inbox.id, uids: nil, onlyDeleted: false) }
              if round % 7 == 0 {
                let name = MailboxName("Folder \(round)")!
                _ = try await store.createMailbox(name, specialUse: nil, of: account)
                try await fixture.append(mail("in it"), to: name, of: account)
                try await store.deleteMailbox(name, of: account)
              }
            }
          }
        }
        group.addTask {
          defer { isDone.increment() }
          for _ in 0..<6 {
            let phases = Phases()
            let report = try await store.verify(VerificationOptions()) { phases.note($0.phase) }
            #expect(report.findings == [])
            #expect(phases.all.isSuperset(of: ["checking store.db", "reading packs", "checking accounts"]))
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `a verification that is cancelled ends`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("1"), of: alice)
      let store = fixture.store
      let task = Task {
        // At this rate it would take for ever, and is cancelled before it begins.
        try await store.verify(VerificationOptions(octetsPerSecond: 1_000_000))
      }
      task.cancel()
      await #expect(throws: StoreError.closed) { _ = try await task.value }
    }
  }
}

private final class Phases: Sendable {
  private let phases = Mutex<Set<String>>([])
  var all: Set<String> { phases.withLock { $0 } }
  func note(_ phase: String) { _ = phases.withLock { $0.insert(phase) } }
}
