import Foundation
import MailStore
import MessageFormat
import StoreTorture
import Testing

/// What a power cut takes from `store.db`, whose log is not flushed for groups that the pack commits.
struct PowerCutTests {
  private static let files = FileManager.default

  /// The long run is `Tests/Torture/power`.
  @Test func `what was acknowledged is there after power cuts, what was not is whole or not at all`() async throws {
    let folder = NSTemporaryDirectory() + "martlet-power-\(UUID().uuidString)"
    let report = try await PowerTrial.run(PowerTrial.Plan(seed: 1, cuts: 12), in: folder)
    #expect(report.cuts == 12)
    #expect(report.acknowledged > 0 && report.messages > 0)
    try? Self.files.removeItem(atPath: folder)
  }

  enum Loss: CaseIterable {
    case database, lastOctets, octetOfTheLastBody

    /// To the end of the pack.
    func strike(_ pack: inout Data) throws {
      switch self {
      case .database: break
      case .lastOctets: pack.removeLast(10)
      case .octetOfTheLastBody:
        let text = try #require(pack.range(of: Data("third of three".utf8), options: .backwards))
        pack[text.lowerBound] ^= 1
      }
    }
  }

  @Test(arguments: Loss.allCases)
  func `messages come back from the pack, each group whole or not at all`(_ loss: Loss) async throws {
    try await StoreFixture.with { fixture in
      let (alice, bob) = (try await fixture.addAccount(), try await fixture.addAccount("bob"))
      try await fixture.append(mail("first", id: "1@example.test"), of: alice, flags: MessageFlags(.seen))
      let before = try databaseFiles(fixture.path)

      try await fixture.append(mail("answer", id: "2@example.test", references: "<1@example.test>"), of: alice)
      let body = try await fixture.stage(mail("for both"))
      let deliveries = [alice, bob].map { LocalDelivery(account: $0, prefix: Array("X-Of: \($0)\r\n".utf8)) }
      for result in await fixture.store.deliver(body, to: deliveries, internalDate: StoreFixture.date) {
        _ = try result.get()
      }
      let whole = try await fixture.inbox(of: alice)
      var messages: [NewMessage] = []
      for number in ["first", "second", "third"] {
        let flags = MessageFlags(.flagged, keywords: [Keyword("$Important")])
        let body = try await fixture.stage(mail("\(number) of three"))
        messages.append(NewMessage(body: body, flags: flags, internalDate: StoreFixture.date))
      }
      _ = try await fixture.store.append(messages, to: .inbox, of: alice)

      let cut = try await afterCut(fixture, before, loss)
      let inbox = try await cut.inbox(of: alice)
      #expect(inbox == (loss == .database ? try await fixture.inbox(of: alice) : whole))
      #expect(try await cut.inbox(of: bob) == fixture.inbox(of: bob))
      let all = try await fixture.store.entries(in: inbox.id, uids: (1...6).map { UID(rawValue: $0) })
      let kept = try await cut.store.entries(in: inbox.id, uids: all.map(\.uid))
      #expect(kept.map { "\($0)" } == all.prefix(inbox.messageCount).map { "\($0)" })
      for entry in kept {
        #expect(try await cut.text(entry.uid, in: inbox.id) == fixture.text(entry.uid, in: inbox.id))
      }
      // And it goes on, in the same pack.
      #expect(try await cut.append(mail("next"), of: alice) == inbox.uidNext)
      try await cut.end()
    }
  }

  @Test(arguments: Loss.allCases)
  func `the queue comes back from the pack, each group whole or not at all`(_ loss: Loss) async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      for name in ["done", "failed", "tried"] { try await fixture.enqueue(["\(name)@\(name).test"]) }
      let before = try databaseFiles(fixture.path)

      try await fixture.finish(try await fixture.deliveries("done.test")[0])
      try await fixture.store.settle(destination: "done.test", .reached)
      let (failed, tried) = (try await fixture.deliveries("failed.test")[0], try await fixture.deliveries("tried.test")[0])
      var progress = QueueProgress()
      progress.outcomes = [
        (failed.id(0), .report(at: StoreFixture.queueTime, result: "550 no")),
        (tried.id(0), .retry(at: StoreFixture.queueTime.advanced(by: .seconds(60)), result: "451 later")),
      ]
      _ = try await fixture.store.deliver(
        try await fixture.stage(mail("a report")), to: [LocalDelivery(account: alice, prefix: [])], queued: [],
        internalDate: StoreFixture.date, progress: progress)
      // Most of it goes out and is done with before the cut.
      for number in 1...3 { try await fixture.enqueue(["a@new.test", "b@new.test"], body: "\(number)\r\n") }
      for _ in 1...2 { try await fixture.finish(try await fixture.deliveries("new.test")[0]) }
      let states = try await fixture.queueStates()
      try await fixture.enqueue(["last@new.test"], body: "third of three\r\n")

      let cut = try await afterCut(fixture, before, loss)
      #expect(try await cut.queueStates() == states + (loss == .database ? ["last@new.test waiting"] : []))
      #expect(states == ["failed@failed.test reporting", "tried@tried.test waiting", "a@new.test waiting", "b@new.test waiting"])
      #expect(try await cut.inbox(of: alice).messageCount == 1)
      #expect(try await Set(cut.due()).isSuperset(of: ["new.test", "tried.test"]))
      let content = try await cut.deliveries("new.test")[0].message.content
      #expect(String(decoding: try await cut.store.read(content, range: 0..<content.size), as: UTF8.self).hasSuffix("3\r\n"))
      #expect(try await cut.store.verify(VerificationOptions(isThorough: true)).findings.isEmpty)
      // And it goes on, in the same pack.
      try await cut.enqueue(["next@new.test"])
      try await cut.end()
    }
  }

  @Test(arguments: Loss.allCases)
  func `changes of entries come back from the pack, each group whole or not at all`(_ loss: Loss) async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let archive: MailboxName = "Archive"
      for number in 1...6 { try await fixture.append(mail("message \(number)", id: "\(number)@example.test"), of: alice) }
      let (inbox, store) = (try await fixture.inbox(of: alice).id, fixture.store)
      let before = try databaseFiles(fixture.path)

      _ = try await store.changeFlags(
        in: inbox, uids: [1, 2], .add(MessageFlags(.seen, keywords: [Keyword("$Important")])), unchangedSince: nil)
      _ = try await store.changeFlags(in: inbox, uids: [2, 5], .add(MessageFlags(.deleted)), unchangedSince: nil)
      _ = try await store.copy([1, 2, 3], from: inbox, to: archive, of: alice)
      _ = try await store.move([3, 4], from: inbox, to: archive, of: alice)
      // One of them is still in the archive, the other in no mailbox.
      #expect(try await store.expunge(in: inbox, uids: nil, onlyDeleted: true) == [2, 5])
      try await fixture.append(mail("seventh"), of: alice)
      let whole = try await state(of: fixture, alice)
      _ = try await store.append(
        [NewMessage(body: try await fixture.stage(mail("third of three")), internalDate: StoreFixture.date)], to: .inbox,
        of: alice)
      let all = try await state(of: fixture, alice)
      #expect(whole.contains("INBOX: 3 messages") && whole.contains("Archive: 5 messages") && whole.contains("2 deleted"))

      let cut = try await afterCut(fixture, before, loss)
      #expect(try await state(of: cut, alice) == (loss == .database ? all : whole))
      #expect(try await cut.store.verify(VerificationOptions(isThorough: true)).findings.isEmpty)
      // And it goes on, with UIDs of its own.
      let uids = try await cut.store.copy([1], from: inbox, to: archive, of: alice).destination
      #expect(uids == [6])
      try await cut.end()
    }
  }

  /// What sessions see of an account, in words.
  private func state(of fixture: StoreFixture, _ account: AccountID) async throws -> String {
    var lines: [String] = []
    for mailbox in try await fixture.store.mailboxes(of: account) where mailbox.messageCount > 0 {
      lines.append("\(mailbox.name): \(mailbox.messageCount) messages, \(mailbox)")
      lines += try await fixture.store.entries(in: mailbox.id, uids: (1..<mailbox.uidNext.rawValue).map(UID.init(rawValue:)))
        .map { "\($0)" }
      let gone = try await fixture.store.expunged(in: mailbox.id, after: ModSequence(rawValue: 1))
      lines.append("\(gone.sorted { $0.lowerBound < $1.lowerBound })")
    }
    let deleted = try await fixture.store.deletedMessages(of: account, limit: 10)
    lines.append("\(deleted.count) deleted: \(deleted.map { "\($0.id) \($0.flags)" })")
    return lines.joined(separator: "\n")
  }

  @Test func `what the database has been told otherwise is not taken from the pack`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("first"), of: alice)
      let before = try databaseFiles(fixture.path)
      let inbox = try await fixture.inbox(of: alice)
      // Its commit flushes the log: a cut that takes this has taken it before it was acknowledged.
      try await fixture.store.setQuota(Quota(messages: 10), of: alice)
      try await fixture.append(mail("second"), of: alice)
      let cut = try await afterCut(fixture, before, .database)
      #expect(try await cut.inbox(of: alice) == inbox)
      try await cut.end()
    }
  }

  private func databaseFiles(_ path: String) throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in ["store.db", "store.db-wal"] {
      contents[name] = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
    }
    return contents
  }

  private func afterCut(_ fixture: StoreFixture, _ database: [String: Data], _ loss: Loss) async throws -> StoreFixture {
    let path = fixture.path + "-cut-\(UUID().uuidString)"
    try copyStore(at: fixture.path, to: path)
    try? Self.files.removeItem(atPath: path + "/store.db-shm")
    for (name, contents) in database { try contents.write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    let pack = URL(fileURLWithPath: path + "/packs/1.pack")
    var octets = try Data(contentsOf: pack)
    try loss.strike(&octets)
    try octets.write(to: pack)
    return try await StoreFixture.make(path: path)
  }
}
