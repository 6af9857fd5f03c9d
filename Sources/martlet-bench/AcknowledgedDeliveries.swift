import MailStore
import MessageFormat
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Delivers, changes flags and expunges without end, and says on standard output what was acknowledged, a line each,
/// written only after the store's answer. Made to be killed: `Tests/Torture/kill` compares the lines with what is there
/// afterwards.
///
///     D <mailbox> <uid> <message>     delivered
///     F <mailbox> <uid>               flagged
///     E <mailbox> <uid>               expunged
struct AcknowledgedDeliveries {
  let store: MailStore
  let accounts: [AccountID]
  /// Tells the messages of this run from those of earlier ones.
  let run: String

  static func start(at directory: String, run: String) async throws {
    let store = try await MailStore.open(at: directory)
    let domain = Domain("example.test")!
    if !store.directory.isLocal(domain) { try await store.addDomain(domain) }
    while store.directory.accounts.count < 8 {
      let address = EmailAddress(localPart: "user\(store.directory.accounts.count)", domain: domain)
      _ = try await store.addAccount(address, secrets: [], quota: Quota())
    }
    let work = AcknowledgedDeliveries(store: store, accounts: store.directory.accounts.map(\.id), run: run)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<24 { group.addTask { try await work.deliver(writer) } }
      try await group.waitForAll()
    }
  }

  private func deliver(_ writer: Int) async throws {
    let account = accounts[writer % accounts.count]
    var number = 0
    while true {
      number += 1
      let id = "\(run).\(writer).\(number)"
      // Now and then one that gets a file of its own.
      let size = number % 40 == 0 ? 1_200_000 : 300 + writer * 500
      let stage = store.stageBody(expectedSize: nil)
      try await stage.append(SampleMessage(size: size).bytes(id: id))
      let recipient = LocalDelivery(account: account, prefix: Array("Return-Path: <>\r\n".utf8))
      let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 0)
      let result = try await store.deliver(try await stage.finish(), to: [recipient], internalDate: date)[0].get()
      let uid = result.uids[0]
      acknowledge("D \(result.mailbox.rawValue) \(uid.rawValue) \(id)")
      if number % 3 == 0 {
        _ = try await store.changeFlags(
          in: result.mailbox, uids: [uid], .add(MessageFlags(.flagged)), unchangedSince: nil)
        acknowledge("F \(result.mailbox.rawValue) \(uid.rawValue)")
      }
      if number % 4 == 0 {
        // From here on it may be there or not.
        acknowledge("? \(result.mailbox.rawValue) \(uid.rawValue)")
        _ = try await store.expunge(in: result.mailbox, uids: [uid], onlyDeleted: false)
        acknowledge("E \(result.mailbox.rawValue) \(uid.rawValue)")
      }
    }
  }

  /// One write each, so that a kill leaves no half of a line that counts.
  private func acknowledge(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
  }
}
