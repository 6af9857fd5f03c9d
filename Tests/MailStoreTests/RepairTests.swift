import Foundation
import MessageFormat
import SQLite
import Testing

@testable import MailStore

struct RepairTests {
  @Test(arguments: [
    "missing", "empty", "garbage", "cut in half", "first page overwritten", "page in the middle overwritten",
  ])
  func `store.db comes back whole from the packs alone`(what: String) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      let file = store.path + "/store.db"
      var bytes = try store.bytes(of: file)
      switch what {
      case "missing": store.removeDatabase()
      case "empty": try store.write([], to: file)
      case "garbage": try store.write([UInt8](repeating: 7, count: 50_000), to: file)
      case "cut in half": try store.truncate(file, to: bytes.count / 2)
      case "first page overwritten":
        bytes.replaceSubrange(0..<4_096, with: [UInt8](repeating: 0xFF, count: 4_096))
        try store.write(bytes, to: file)
      default:
        let middle = bytes.count / 4_096 / 2 * 4_096
        bytes.replaceSubrange(middle..<middle + 4_096, with: [UInt8](repeating: 0xFF, count: 4_096))
        try store.write(bytes, to: file)
      }
      if what != "page in the middle overwritten" {
        await #expect(throws: StoreError.self) { _ = try await MailStore.open(at: store.path) }
      }
      let plan = try await repair(store.path)
      #expect(plan.databaseProblem != nil && plan.isNeeded && plan.source == .packs && plan.lostCount == 0, "\(plan)")
      #expect(plan.notes == [] && plan.damages == [])
      #expect(FileManager.default.fileExists(atPath: "\(store.path)/\(plan.keptAs ?? "-")") == (what != "missing"))
      expectSame(try StoreDump(store.path), before)
      #expect(try verify(store.path).findings == [])
      // It is a store like any other.
      let opened = try await StoreFixture.make(path: store.path)
      let alice = try #require(opened.store.directory.account(login: "alice@example.test"))
      let bob = EmailAddress("bob@example.test")!
      #expect(opened.store.directory.answer(for: EmailAddress("x@example.test")!) 
          == .alias(Alias(pattern: .catchAll(StoreFixture.domain), targets: [bob])))
      let inbox = try await opened.inbox(of: alice.id)
      #expect(try await opened.append(mail("after"), of: alice.id) == inbox.uidNext)
      #expect(try await opened.text(inbox.uidNext, in: inbox.id) == mail("after"))
      await opened.store.close()
      try await checkInvariants(of: store.path)
    }
  }

  @Test func `a sound store is left as it is, one that is open is not touched`() async throws {
    try await LivedInStore.with { store in
      let idle = try await StoreRepair.prepare(at: store.path)
      #expect(!idle.plan.isNeeded && idle.plan.differences?.isEmpty == true, "\(idle.plan)")
      await #expect(throws: StoreError.locked) { _ = try await MailStore.open(at: store.path) }
      await idle.cancel()
      let names = try FileManager.default.contentsOfDirectory(atPath: store.path)
      #expect(!names.contains { $0.contains("damaged") || $0.contains("new") })
      let open = try await MailStore.open(at: store.path)
      await #expect(throws: StoreError.locked) { _ = try await StoreRepair.prepare(at: store.path) }
      await open.close()
      await #expect(throws: StoreError.self) { _ = try await StoreRepair.prepare(at: store.path + "/nothing") }
    }
  }

  // MARK: Damaged packs

  /// Bytes spread over all packs, at the beginning and inside of records.
  private static let flips = Array(0..<64)

  /// The pack and offset of a flip, with the record it hits.
  private func place(
    _ number: Int, in store: LivedInStore
  ) throws -> (pack: Int, offset: Int, record: PackScanner.Record) {
    var all: [(Int, PackScanner.Record)] = []
    for pack in try store.packs {
      let file = try File(store.pack(pack), .reading, access: FileAccess())
      var scanner = PackScanner(file, end: file.size, stamp: nil)
      while case .record(let record)? = scanner.next() { all.append((pack, record)) }
    }
    let (pack, record) = all[number * all.count / Self.flips.count]
    let size = Int(record.end - record.position)
    // Magic, kind, sizes, sums, metadata and body in turn.
    let offsets = [0, 4, 17, 25, 30, 33, PackRecord.headerSize + 3, Int(record.bodyPosition - record.position) + 20]
    return (pack, Int(record.position) + min(offsets[number % offsets.count], size - 1), record)
  }

  private func hitsBody(_ offset: Int, _ record: PackScanner.Record) -> Bool {
    record.header.kind == .body && offset >= record.bodyPosition
  }

  @Test(arguments: flips)
  func `a flipped byte with store.db costs a message at most`(number: Int) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      let (pack, offset, record) = try place(number, in: store)
      try store.flip(offset, of: store.pack(pack))
      let report = try verify(store.path)
      let names = try entries(of: record.header.bodyID, in: store)
      if hitsBody(offset, record) {
        #expect(report.findings.allSatisfy { [.bodyLost, .deletedBodyLost].contains($0.kind) }, "\(report.findings)")
        #expect(report.findings.filter { $0.kind == .bodyLost }.count == names.count)
      } else {
        #expect(report.findings.map(\.kind) == [.recordUnreadable])
        #expect(!report.hasDamage)
      }
      let plan = try await repair(store.path)
      if hitsBody(offset, record) {
        #expect(plan.lost.map { "\($0.account) \($0.mailbox) \($0.uid)" } == names)
        try expectOnlyLost(record.header.bodyID, before, store)
      } else {
        #expect(plan.lostCount == 0 && plan.source == .database, "\(plan)")
        expectSame(try StoreDump(store.path), before)
      }
      try await expectSettled(store)
    }
  }

  @Test(arguments: flips)
  func `a flipped byte without store.db costs what its record said`(number: Int) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      let (pack, offset, record) = try place(number, in: store)
      let names = try entries(of: record.header.bodyID, in: store)
      let uidsBefore = try nextUIDs(store)
      try store.flip(offset, of: store.pack(pack))
      store.removeDatabase()
      let plan = try await repair(store.path)
      if hitsBody(offset, record) {
        #expect(plan.source == .packs && plan.damages == [], "\(plan)")
        #expect(plan.lost.map { "\($0.account) \($0.mailbox) \($0.uid)" } == names)
        try expectOnlyLost(record.header.bodyID, before, store)
      } else {
        if record.header.kind != .beginning { #expect(plan.source == .remains, "\(plan)") }
        #expect(plan.damages.count == 1, "\(plan)")
        // All bodies but that one are there, and no UID can be given twice.
        let bodies = Set(try StoreDump(store.path).tables["bodies"]!)
        let lost = before.tables["bodies"]!.filter { !bodies.contains($0) }
        #expect(lost.allSatisfy { $0.hasPrefix("integer(\(record.header.bodyID)) ") }, "\(lost)")
        let uids = try nextUIDs(store)
        for (mailbox, next) in uidsBefore where uids[mailbox] != nil { #expect(uids[mailbox]! >= next) }
      }
      try await expectSettled(store)
    }
  }

  /// Where the body's messages are, as a plan says it.
  private func entries(of body: Int64, in store: LivedInStore) throws -> [String] {
    let database = try Database(path: store.path + "/store.db", access: .reading)
    var names: [String] = []
    try database.forEach(
      """
      SELECT a.local_part || '@' || a.domain || ' ' || b.name || ' ' || e.uid FROM entries e
      JOIN messages m ON m.id = e.message JOIN mailboxes b ON b.id = e.mailbox JOIN accounts a ON a.id = b.account
      WHERE m.body = ? ORDER BY e.mailbox, e.uid
      """, [.integer(body)]
    ) {
      names.append($0.text(0))
      return true
    }
    return names
  }

  private func nextUIDs(_ store: LivedInStore) throws -> [String: Int64] {
    let database = try Database(path: store.path + "/store.db", access: .reading)
    var uids: [String: Int64] = [:]
    try database.forEach("SELECT id, uid_validity, uid_next FROM mailboxes") {
      uids["\($0.integer(0)) \($0.integer(1))"] = $0.integer(2)
      return true
    }
    return uids
  }

  /// Everything but the body, its messages and their entries is as before; these UIDs are expunged.
  private func expectOnlyLost(_ body: Int64, _ before: StoreDump, _ store: LivedInStore) throws {
    let after = try StoreDump(store.path)
    for table in ["domains", "accounts", "app_passwords", "aliases", "subscriptions"] {
      #expect(after.tables[table] == before.tables[table])
    }
    let messages = before.tables["messages"]!.filter { $0.split(separator: " ")[2] == "integer(\(body))" }
    let ids = Set(messages.map { $0.split(separator: " ")[0] })
    #expect(after.tables["messages"] == before.tables["messages"]!.filter { !messages.contains($0) })
    #expect(after.tables["bodies"] == before.tables["bodies"]!.filter { !$0.hasPrefix("integer(\(body)) ") })
    #expect(
      after.tables["entries"] == before.tables["entries"]!.filter { !ids.contains($0.split(separator: " ")[2]) })
    let uids = { (dump: StoreDump) in dump.tables["mailboxes"]!.map { $0.split(separator: " ")[0..<7] } }
    #expect(uids(after).map { $0[5] } == uids(before).map { $0[5] }, "UIDVALIDITY")
  }

  /// What was made of it is sound, and the packs alone tell it: the next repair finds nothing more, and gives the same.
  private func expectSettled(_ store: LivedInStore) async throws {
    // A large body whose record is lost is left for a person to look at.
    #expect(try verify(store.path).findings.filter { $0.kind != .fileUnknown } == [])
    let dump = try StoreDump(store.path)
    let idle = try await StoreRepair.prepare(at: store.path)
    #expect(!idle.plan.isNeeded, "\(idle.plan)")
    await idle.cancel()
    store.removeDatabase()
    let plan = try await repair(store.path)
    #expect(plan.source == .packs && plan.lostCount == 0, "\(plan)")
    var again = try StoreDump(store.path)
    // The hashes of a body that is damaged are not found again.
    again.tables["threads"] = dump.tables["threads"]
    expectSame(again, dump)
  }

  // MARK: Packs that are cut off or missing

  @Test(arguments: Array(0..<18), [true, false])
  func `a pack that is cut off keeps what is before the cut, and the others all`(
    number: Int, hasDatabase: Bool
  ) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      let packs = try store.packs
      // Every other time the last one.
      let pack = number % 2 == 0 ? packs.last! : packs[number * 7 % packs.count]
      let size = try store.bytes(of: store.pack(pack)).count
      let cut = size * number / 18
      let inCut = try bodies(in: store, pack: pack, beyond: cut)
      let uidsBefore = try nextUIDs(store)
      try store.truncate(store.pack(pack), to: cut)
      if hasDatabase {
        #expect(try verify(store.path).findings.contains { $0.kind == .packCutOff })
      } else {
        store.removeDatabase()
      }
      let plan = try await repair(store.path)
      let after = try StoreDump(store.path)
      let isEndUnknown = pack == packs.last && !hasDatabase
      #expect(plan.source == (hasDatabase ? .database : isEndUnknown ? plan.source : .remains), "\(plan)")
      let ids = Set(after.tables["bodies"]!.map { $0.split(separator: " ")[0] })
      let lost = before.tables["bodies"]!.filter { !ids.contains($0.split(separator: " ")[0]) }
      #expect(Set(lost.map { String($0.split(separator: " ")[0]) }).isSubset(of: inCut.map { "integer(\($0))" }))
      if hasDatabase {
        for table in ["domains", "accounts", "app_passwords", "aliases", "subscriptions"] {
          #expect(after.tables[table] == before.tables[table])
        }
        #expect(
          before.tables["entries"]!.count - after.tables["entries"]!.count == Int(plan.lostCount))
      }
      // Where the cut is at a record's end in the newest pack, nothing can tell that there was more.
      if hasDatabase || plan.source == .remains {
        let uids = try nextUIDs(store)
        for (mailbox, next) in uidsBefore where uids[mailbox] != nil { #expect(uids[mailbox]! >= next, "\(plan)") }
      }
      try await expectSettled(store)
    }
  }

  private func bodies(in store: LivedInStore, pack: Int, beyond end: Int) throws -> [Int64] {
    let database = try Database(path: store.path + "/store.db", access: .reading)
    var ids: [Int64] = []
    try database.forEach(
      "SELECT id FROM bodies WHERE pack = ? AND position + size > ?", [.integer(Int64(pack)), .integer(Int64(end))]
    ) {
      ids.append($0.integer(0))
      return true
    }
    // The records of large bodies.
    try database.forEach("SELECT id FROM bodies WHERE pack IS NULL") {
      ids.append($0.integer(0))
      return true
    }
    return ids
  }

  @Test(arguments: Array(0..<8), [true, false])
  func `a pack that is missing leaves the others whole`(number: Int, hasDatabase: Bool) async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      let packs = try store.packs
      let pack = packs[number * packs.count / 8]
      let inPack = try bodies(in: store, pack: pack, beyond: 0)
      try FileManager.default.removeItem(atPath: store.pack(pack))
      if hasDatabase {
        #expect(try verify(store.path).findings.contains { $0.kind == .packMissing })
      } else {
        store.removeDatabase()
      }
      let plan = try await repair(store.path)
      // Only store.db can tell that there was a newer one.
      if hasDatabase || pack != packs.last {
        #expect(plan.damages.contains { $0.contains("pack \(pack) is missing") }, "\(plan)")
      }
      let after = try StoreDump(store.path)
      let ids = Set(after.tables["bodies"]!.map { $0.split(separator: " ")[0] })
      let lost = before.tables["bodies"]!.map { $0.split(separator: " ")[0] }.filter { !ids.contains($0) }
      #expect(Set(lost.map { String($0) }).isSubset(of: inPack.map { "integer(\($0))" }))
      if hasDatabase {
        for table in ["domains", "accounts", "app_passwords", "aliases", "subscriptions"] {
          #expect(after.tables[table] == before.tables[table])
        }
        #expect(before.tables["entries"]!.count - after.tables["entries"]!.count == Int(plan.lostCount))
      }
      try await expectSettled(store)
    }
  }

  @Test func `without any pack the accounts stay, and every message is reported lost`() async throws {
    try await LivedInStore.with { store in
      let before = try StoreDump(store.path)
      for pack in try store.packs { try FileManager.default.removeItem(atPath: store.pack(pack)) }
      let plan = try await repair(store.path)
      let large = before.tables["entries"]!.count - Int(plan.lostCount)
      // The large bodies have files of their own.
      #expect(large > 0 && plan.lost.count == Int(plan.lostCount))
      let after = try StoreDump(store.path)
      #expect(after.tables["accounts"] == before.tables["accounts"] && after.tables["entries"]!.count == large)
      try await expectSettled(store)
    }
  }

  @Test func `a large body that is damaged or missing is lost alone`() async throws {
    for isMissing in [true, false] {
      try await LivedInStore.with { store in
        let before = try StoreDump(store.path)
        let name = try FileManager.default.contentsOfDirectory(atPath: store.path + "/large")[0]
        let names = try entries(of: Int64(name)!, in: store)
        if isMissing {
          try FileManager.default.removeItem(atPath: "\(store.path)/large/\(name)")
        } else {
          try store.flip(1_000, of: "\(store.path)/large/\(name)")
        }
        let findings = try verify(store.path).findings.map(\.kind)
        #expect(findings.filter { $0 == .bodyLost }.count == names.count && !findings.contains(.fileUnknown))
        let plan = try await repair(store.path)
        #expect(plan.lost.map { "\($0.account) \($0.mailbox) \($0.uid)" } == names)
        try expectOnlyLost(Int64(name)!, before, store)
        if isMissing { try await expectSettled(store) }
      }
    }
  }

  // MARK: What must not be believed

  @Test func `a message that contains a record is not taken for one`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("before"), of: alice)
      let forged = PackRecord.encode(
        changes: [
          .account(
            RecordedAccount(
              id: alice.rawValue, localPart: "alice", domain: "example.test", secrets: "known to others",
              quotaBytes: nil, quotaMessages: nil, lastUIDValidity: 0)), .domain("forged.test"),
        ], stamp: 0x1234)
      let body = NewMessage(
        body: try await fixture.stage(Array(mail("with a record").utf8) + forged + forged),
        internalDate: StoreFixture.date)
      _ = try await fixture.store.append([body], to: .inbox, of: alice)
      try await fixture.append(mail("after"), of: alice)
      await fixture.store.close()
      let store = LivedInStore(path: fixture.path)
      let bytes = try store.bytes(of: store.pack(1))
      let start = try #require(bytes.firstRange(of: forged)).lowerBound
      let record = try #require(bytes[..<start].lastRange(of: PackRecord.magicBytes)).lowerBound
      // Its length is lost, so the way to the next record must be searched.
      try store.flip(record + 26, of: store.pack(1))
      store.removeDatabase()
      let plan = try await repair(fixture.path)
      #expect(plan.damages.count == 1 && plan.messages == 2)
      let dump = try StoreDump(fixture.path)
      #expect(dump.tables["domains"]?.count == 1 && dump.tables["accounts"]![0].contains("hash of alice"))
    }
  }

  /// A commit that failed may come back after a crash. While the store goes on it does not, so what it wrote into the
  /// pack must not come back by a repair either.
  @Test func `what a failed commit left in the packs stays undone`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      for number in 1...4 { try await fixture.append(mail("\(number)"), of: alice) }
      let inbox = try await fixture.inbox(of: alice)
      fixture.faults.set { $0.isCommit ? EIO : 0 }
      await #expect(throws: StoreError.self) {
        try await fixture.store.expunge(in: inbox.id, uids: [1, 2], onlyDeleted: false)
      }
      await #expect(throws: StoreError.self) { try await fixture.store.removeAccount(alice) }
      await #expect(throws: StoreError.self) { try await fixture.append(mail("never"), of: alice) }
      fixture.faults.set(nil)
      #expect(try await fixture.append(mail("5"), of: alice) == 5)
      #expect(try await fixture.store.index(of: inbox.id).uids == [1, 2, 3, 4, 5])
      // The fixture's end rebuilds it from the packs and compares.
    }
  }

  @Test func `groups that failed one after the other before a crash leave nothing for a repair to bring back`()
    async throws
  {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("1"), of: alice)
      fixture.faults.set { $0.isCommit ? EIO : 0 }
      for _ in 0..<4 {
        await #expect(throws: StoreError.self) { try await fixture.append(mail("never"), of: alice) }
      }
      let crashed = try await fixture.reopenedCopy()
      #expect(try FileManager.default.contentsOfDirectory(atPath: crashed.path + "/packs") == ["1.pack"])
      // Its end rebuilds it from the packs and compares.
      try await crashed.end()
      fixture.faults.set(nil)
      #expect(try await fixture.append(mail("2"), of: alice) == 2)
    }
  }

  @Test func `a store of before change records tells its packs everything when it is opened`() async throws {
    try await LivedInStore.with { store in
      try makeOld(store)
      var before = try StoreDump(store.path)
      // Who may write to an alias, and send as it, came later.
      before.tables["aliases"] = before.tables["aliases"]?.map {
        "\($0) \(SQLValue.text("anyone")) \(SQLValue.integer(0))"
      }
      // As it is, the packs know the messages only.
      let copy = LivedInStore(path: store.path + "-old")
      defer { try? FileManager.default.removeItem(atPath: copy.path) }
      try FileManager.default.copyItem(atPath: store.path, toPath: copy.path)
      copy.removeDatabase()
      let plan = try await repair(copy.path)
      #expect(plan.source == .remains && plan.messages > 0)
      #expect(plan.notes.contains { $0.contains("passwords and limits are lost") }, "\(plan.notes)")
      try await expectSettled(copy)

      // With a sound store.db that was not opened yet, a repair would know less than that.
      await #expect(throws: StoreError.self) { _ = try await StoreRepair.prepare(at: store.path) }
      let opened = try await MailStore.open(at: store.path)
      await opened.close()
      #expect(try verify(store.path).findings == [])
      expectSame(try StoreDump(store.path), before)
      store.removeDatabase()
      let rebuilt = try await repair(store.path)
      #expect(rebuilt.source == .packs && rebuilt.lostCount == 0, "\(rebuilt)")
      var after = try StoreDump(store.path)
      after.tables["threads"] = before.tables["threads"]
      expectSame(after, before)
    }
  }

  /// Writes the packs as they were before there were beginnings, changes and stamps.
  private func makeOld(_ store: LivedInStore) throws {
    let database = try Database(path: store.path + "/store.db", access: .writing)
    try database.run("DELETE FROM sealed_packs")
    try database.run("DELETE FROM state WHERE name IN ('pack_stamp', 'packs_tell_all')")
    // What later migrations have made.
    let first = Set(
      ["state", "domains", "accounts", "app_passwords", "aliases", "mailboxes", "subscriptions", "sealed_packs"]
        + ["bodies", "messages", "entries", "vanished", "threads"])
    var later: [String] = []
    try database.forEach("SELECT name FROM sqlite_master WHERE type = 'table'") { row in
      if !first.contains(row.text(0)) { later.append(row.text(0)) }
      return true
    }
    for table in later { try database.execute("DROP TABLE \(table)") }
    for column in ["senders", "members_may_send"] { try database.execute("ALTER TABLE aliases DROP COLUMN \(column)") }
    try database.execute("PRAGMA user_version = 1")
    let packs = try store.packs
    for pack in packs {
      let bytes = try store.bytes(of: store.pack(pack))
      var old: [UInt8] = []
      let file = try File(store.pack(pack), .reading, access: FileAccess())
      var scanner = PackScanner(file, end: file.size, stamp: nil)
      while case .record(let record)? = scanner.next() {
        guard case .placements = record.metadata else { continue }
        var header = Array(bytes[Int(record.position)..<Int(record.bodyPosition)].dropLast(8))
        header.store(UInt32(header.count - PackRecord.headerSize), at: 24)
        header.store(PackRecord.checksum(header[...]), at: 32)
        old += header
        try database.run(
          "UPDATE bodies SET position = ? WHERE id = ? AND pack IS NOT NULL",
          [.integer(Int64(old.count)), .integer(record.header.bodyID)])
        old += bytes[Int(record.bodyPosition)..<Int(record.end)]
      }
      try store.write(old, to: store.pack(pack))
      if pack == packs.last {
        try database.run("UPDATE state SET value = ? WHERE name = 'pack_end'", [.integer(Int64(old.count))])
      } else {
        try database.run(
          "INSERT INTO sealed_packs VALUES (?, ?)", [.integer(Int64(pack)), .integer(Int64(old.count))])
      }
    }
    try database.checkpoint(.truncating)
  }
}

extension Array where Element == UInt8 {
  fileprivate func firstRange(of bytes: [UInt8]) -> Range<Int>? { self[...].firstRange(of: bytes) }
}

extension ArraySlice where Element == UInt8 {
  fileprivate func firstRange(of bytes: [UInt8]) -> Range<Int>? {
    guard count >= bytes.count else { return nil }
    for start in startIndex...(endIndex - bytes.count) where self[start..<start + bytes.count].elementsEqual(bytes) {
      return start..<start + bytes.count
    }
    return nil
  }

  fileprivate func lastRange(of bytes: [UInt8]) -> Range<Int>? {
    guard count >= bytes.count else { return nil }
    for start in (startIndex...(endIndex - bytes.count)).reversed()
    where self[start..<start + bytes.count].elementsEqual(bytes) {
      return start..<start + bytes.count
    }
    return nil
  }
}
