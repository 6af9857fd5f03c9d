import MailStore
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How long it takes to verify a store of many small messages, and to rebuild its `store.db`.
/// `martlet-bench repair DIRECTORY [MESSAGES]`; the directory must not exist.
enum RepairBenchmark {
  private static let accounts = 20
  private static let writers = 50

  static func run(at directory: String, messages: Int) async throws {
    let clock = ContinuousClock()
    var start = clock.now
    let store = try await MailStore.open(at: directory)
    try await fill(store, messages: messages)
    print("\(messages) messages delivered, a third of them marked as read: \(rounded((clock.now - start).seconds)) s")
    for _ in 0..<2 {
      let report = try await store.verify(VerificationOptions())
      print("verify: \(line(report, in: report.seconds)), \(report.findings.count) findings")
    }
    let report = try await store.verify(VerificationOptions(isThorough: true))
    print("verify, thorough: \(line(report, in: report.seconds))")
    await store.close()
    for suffix in ["", "-wal", "-shm"] { unlink("\(directory)/store.db\(suffix)") }
    let cpu = processorSeconds()
    start = clock.now
    let repair = try await StoreRepair.prepare(at: directory)
    let prepared = clock.now
    try await repair.perform()
    let seconds = (clock.now - start).seconds
    print(
      "repair: \(repair.plan.messages) messages, \(Int(Double(repair.plan.messages) / seconds)) messages/s, "
        + "\(Int(Double(repair.plan.packOctets) / seconds / 1e6)) MB/s of packs, \(rounded(seconds)) s "
        + "(\(rounded((prepared - start).seconds)) s of it before it asks), "
        + "\(rounded(processorSeconds() - cpu)) s CPU")
  }

  private static func fill(_ store: MailStore, messages: Int) async throws {
    let domain = Domain("example.test")!
    try await store.addDomain(domain)
    var ids: [AccountID] = []
    for number in 0..<accounts {
      let address = EmailAddress(localPart: "user\(number)", domain: domain)
      ids.append(try await store.addAccount(address, secrets: [], quota: Quota()))
    }
    let accounts = ids
    let sample = SampleMessage(size: 2_048)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          for number in stride(from: writer, to: messages, by: writers) {
            let stage = store.stageBody(expectedSize: nil)
            try await stage.append(sample.bytes(id: "\(number)"))
            let recipient = LocalDelivery(account: accounts[number % accounts.count], prefix: Array("X: y\r\n".utf8))
            let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 0)
            let result = try await store.deliver(try await stage.finish(), to: [recipient], internalDate: date)[0].get()
            guard number % 3 == 0 else { continue }
            _ = try await store.changeFlags(
              in: result.mailbox, uids: result.uids, .add(MessageFlags(.seen)), unchangedSince: nil)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private static func line(_ report: VerificationReport, in seconds: Double) -> String {
    "\(report.messages) messages, \(Int(Double(report.messages) / seconds)) messages/s, "
      + "\(Int(Double(report.octets) / seconds / 1e6)) MB/s, \(rounded(seconds)) s"
  }
}
