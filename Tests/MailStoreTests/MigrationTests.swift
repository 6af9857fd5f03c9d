import Foundation
import MailStore
import MessageFormat
import SQLite
import Testing

struct MigrationTests {
  /// A store as a released version has left it, in a folder of its own.
  private func copy(of version: String) throws -> String {
    let path = NSTemporaryDirectory() + "martlet-store-\(UUID().uuidString)"
    let origin = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Stores/\(version)")
    try FileManager.default.copyItem(atPath: origin.path, toPath: path)
    return path
  }

  @Test(arguments: ["0.1.0"])
  func storesOfReleasedVersionsAreOpenedWithAllTheyHold(_ version: String) async throws {
    let path = try copy(of: version)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let schema = try Database(path: path + "/store.db", access: .writing).schemaVersion()
    let fixture = try await StoreFixture.make(path: path)
    let directory = fixture.store.directory
    let alice = try #require(directory.account(login: "alice@example.test"))
    let bob = try #require(directory.account(login: "bob@example.test"))
    #expect(!alice.secrets.isEmpty && alice.appPasswords.map(\.label) == ["phone"])
    #expect(bob.quota.bytes == 5_000_000)
    #expect(directory.aliases.count == 2)

    let mailboxes = try await fixture.store.mailboxes(of: alice.id)
    #expect(
      mailboxes.map { "\($0.name.text) \($0.uidNext.rawValue) \($0.uidValidity.rawValue) \($0.messageCount)" } == [
        "INBOX 6 1795500607 4", "Archive 2 1795500611 1", "Drafts 1 1795500608 0", "Junk 1 1795500612 0",
        "Sent 1 1795500609 0", "Trash 1 1795500610 0", "Work 1 1795500613 0", "Work/2002 2 1795500614 1",
      ])
    let inbox = mailboxes[0].id
    let index = try await fixture.store.index(of: inbox)
    #expect(index.uids.map(\.rawValue) == [1, 2, 4, 5])
    #expect(index.flags[0] == .seen && index.keywords[index.uids[0]]?.map(\.text) == ["$Important"])
    for uid in index.uids {
      #expect(try await fixture.text(uid, in: inbox).hasSuffix("text \(uid.rawValue - 1)\r\n"))
    }
    let appended = try await fixture.store.entries(in: mailboxes[7].id, uids: [UID(rawValue: 1)])
    #expect(appended.first?.internalDate.imap == " 1-Feb-2002 03:04:05 +0100")
    #expect(try await fixture.append(mail("next"), of: alice.id).rawValue == 6)

    // Whoever wants to go back finds the index as it was.
    let after = try Database(path: path + "/store.db", access: .reading).schemaVersion()
    let snapshot = path + "/store.db.schema-\(schema)"
    #expect(FileManager.default.fileExists(atPath: snapshot) == (after > schema))
    if after > schema { #expect(try Database(path: snapshot, access: .reading).schemaVersion() == schema) }
    await fixture.store.close()
    try await checkInvariants(of: path)
  }

  @Test func aStoreOfANewerVersionIsLeftAlone() async throws {
    let path = try copy(of: "0.1.0")
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Database(path: path + "/store.db", access: .writing).execute("PRAGMA user_version = 99")
    await #expect(throws: StoreError.newerSchema(99)) { _ = try await MailStore.open(at: path) }
    #expect(try Database(path: path + "/store.db", access: .reading).schemaVersion() == 99)
  }

  @Test func onlyItsOwnerReadsTheIndex() async throws {
    let fixture = try await StoreFixture.make()
    for file in ["store.db", "store.db-wal"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: fixture.path + "/" + file)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }
    try await fixture.end()
  }
}
