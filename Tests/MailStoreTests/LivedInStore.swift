import Foundation
import MailStore
import MessageFormat

/// A store in which everything has happened once: made once, and copied for each who wants to break it.
struct LivedInStore {
  let path: String

  private static let made = Task { try await make() }

  /// A copy that is not open, lent to `body`.
  static func with(_ body: (LivedInStore) async throws -> Void) async throws {
    let original = try await made.value
    let copy = NSTemporaryDirectory() + "martlet-lived-in-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: original, toPath: copy)
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try await body(LivedInStore(path: copy))
  }

  private static func make() async throws -> String {
    let fixture = try await StoreFixture.make {
      $0.packSize = 4_000
      $0.largeBodyThreshold = 3_000
    }
    let store = fixture.store
    try await store.addDomain(StoreFixture.domain)
    try await store.addDomain(Domain("gone.test")!)
    try await store.removeDomain(Domain("gone.test")!)
    let alice = try await fixture.addAccount("Alice", quota: Quota(bytes: 1_000_000, messages: 500))
    let bob = try await fixture.addAccount("bob")
    let carol = try await fixture.addAccount("carol")
    try await store.setSecrets([StoredSecret("new hash"), StoredSecret("another")], of: bob)
    try await store.setAppPasswords(
      [
        AppPassword(label: "phone", secrets: [StoredSecret("a")], created: Timestamp(seconds: 5)),
        AppPassword(label: "été", secrets: [StoredSecret("b")], created: Timestamp(seconds: 6)),
      ], of: alice)
    try await store.setQuota(Quota(messages: 400), of: bob)
    func address(_ name: String) -> EmailAddress { EmailAddress(localPart: name, domain: StoreFixture.domain) }
    try await store.setAlias(
      Alias(
        pattern: .address(address("team")), targets: [address("alice"), address("bob")], senders: .members,
        membersMaySend: true))
    try await store.setAlias(
      Alias(pattern: .address(address("boss")), targets: [address("bob")], senders: .accounts([address("alice")])))
    try await store.setSendAs([.address(address("boss")), .domain(StoreFixture.domain)], of: alice)
    for id in [bob, carol] { try await store.setSendAs([.address(address("team"))], of: id) }
    try await store.setSendAs([], of: bob)
    var limits = SendingLimits()
    limits[.messagesPerDay] = 0
    limits[.newRecipientsPerDay] = 7
    try await store.setSendingLimits(limits, of: bob)
    try await store.setAlias(Alias(pattern: .address(address("old")), targets: [address("bob")]))
    try await store.setAlias(Alias(pattern: .catchAll(StoreFixture.domain), targets: [address("bob")]))
    try await store.removeAlias(.address(address("old")))
    // For all, one of them with other trace fields; a large one too.
    for number in 0..<12 {
      let body = try await fixture.stage(
        mail(
          "for all \(number)", id: "\(number)@x", references: number > 3 ? "<\(number - 2)@x>" : nil,
          body: String(repeating: "line \(number)\r\n", count: number == 7 ? 500 : 10 + number)))
      let results = await store.deliver(
        body,
        to: [alice, bob, carol].map {
          LocalDelivery(account: $0, prefix: Array("Return-Path: <\($0 == bob ? "b" : "x")@y>\r\n".utf8))
        } + [LocalDelivery(account: alice, mailbox: "Lists/swift", prefix: [], flags: MessageFlags(.seen))],
        internalDate: StoreFixture.date)
      for result in results { _ = try result.get() }
    }
    let inbox = try await fixture.inbox(of: alice)
    _ = try await store.changeFlags(
      in: inbox.id, uids: [2, 4, 6], .add(MessageFlags([.seen, .flagged], keywords: [Keyword("$Forwarded")])),
      unchangedSince: nil)
    _ = try await store.changeFlags(in: inbox.id, uids: [4], .remove(MessageFlags(.flagged)), unchangedSince: nil)
    _ = try await store.changeFlags(in: inbox.id, uids: [9, 10], .replace(MessageFlags(.deleted)), unchangedSince: nil)
    _ = try await store.copy([2, 3, 8], from: inbox.id, to: "Archive", of: alice)
    _ = try await store.move([3, 5], from: inbox.id, to: "Lists/swift", of: alice)
    _ = try await store.copy([6], from: inbox.id, to: .inbox, of: alice)
    _ = try await store.expunge(in: inbox.id, uids: nil, onlyDeleted: true)
    _ = try await store.createMailbox("Work/2024/July", specialUse: nil, of: alice)
    _ = try await store.createMailbox("Old", specialUse: .all, of: alice)
    try await store.renameMailbox("Work", to: "Job", of: alice)
    try await store.deleteMailbox("Lists", of: alice)
    try await fixture.append(mail("to be gone"), to: "Old", of: alice)
    try await store.deleteMailbox("Old", of: alice)
    try await store.renameMailbox(.inbox, to: "Everything", of: bob)
    try await store.setSubscribed(true, "Job/2024", of: alice)
    try await store.setSubscribed(true, "Not/There", of: alice)
    try await store.setSubscribed(false, "Junk", of: alice)
    let archive = try await store.mailbox(named: "Archive", of: bob)!
    for number in 0..<8 { try await fixture.append(mail("b\(number)"), to: "Archive", of: bob) }
    _ = try await store.expunge(in: archive.id, uids: [1, 2, 3, 5], onlyDeleted: false)
    _ = try await store.restore(.mailbox("Archive", since: nil), of: bob)
    _ = try await store.expunge(in: archive.id, uids: [6, 9], onlyDeleted: false)
    _ = try await store.restore(.mailbox("Old", since: nil), of: alice, into: "New")
    for account in [alice, carol] {
      let origin = ImportOrigin(
        identity: "test:Elsewhere", mailbox: "Elsewhere", isSubscribed: true,
        uids: OriginUIDs(validity: UIDValidity(rawValue: 4_000_000), first: 7))
      let id = try await store.openImport(origin, of: account).id
      for uid in [7, 9, 100] as [UID] {
        let message = NewMessage(
          body: try await fixture.stage(mail("from elsewhere \(uid.rawValue)")),
          flags: MessageFlags(.seen, keywords: [Keyword("$Work")]), internalDate: StoreFixture.date)
        _ = try await store.importMessages(
          [ImportedMessage(key: [UInt8(uid.rawValue)], uid: uid, message: message)], from: id)
      }
      _ = try await store.areNews([ImportOffer(key: [9], flags: MessageFlags(.flagged))], from: id)
      _ = try await store.closeImport(id, uidNext: 200)
      let second = ImportOrigin(identity: "test:Second", mailbox: "Elsewhere")
      _ = try await store.openImport(second, of: account)
    }
    try await store.removeAccount(carol)
    _ = try await fixture.addAccount("carol")
    for number in 0..<6 { try await fixture.append(mail("last \(number)"), of: alice) }
    await store.close()
    return fixture.path
  }

  // MARK: Breaking it

  func removeDatabase() {
    for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + "/store.db" + suffix) }
  }

  var packs: [Int] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: path + "/packs").compactMap { Int($0.dropLast(5)) }.sorted()
    }
  }

  func pack(_ number: Int) -> String { "\(path)/packs/\(number).pack" }

  func bytes(of file: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file))) }

  func write(_ bytes: [UInt8], to file: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: file)) }

  func flip(_ offset: Int, of file: String) throws {
    var bytes = try bytes(of: file)
    bytes[offset] ^= 0x5A
    try write(bytes, to: file)
  }

  func truncate(_ file: String, to count: Int) throws { try write(Array(try bytes(of: file).prefix(count)), to: file) }
}
