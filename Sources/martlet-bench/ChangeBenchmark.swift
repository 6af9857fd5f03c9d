import MailStore
import MessageFormat

/// Changes that add no message, and reading as a session does it.
struct ChangeBenchmark {
  private let store: MailStore
  private let accounts: [AccountID]
  private let seconds: Double

  private static let messages = 20_000
  private static let expunged = 10_000

  static func run(at directory: String, seconds: Double) async throws {
    let store = try await MailStore.open(at: directory)
    let benchmark = ChangeBenchmark(store: store, accounts: try await store.addAccounts(50), seconds: seconds)
    for account in benchmark.accounts { try await benchmark.fill(.inbox, of: account, count: Self.messages / 50) }
    for writers in [1, 10, 50] { try await benchmark.changeFlags(writers: writers) }
    try await benchmark.expunge()
    try await benchmark.read()
    await store.close()
  }

  private func fill(_ name: MailboxName, of account: AccountID, count: Int) async throws {
    let sample = SampleMessage(size: 2_048)
    for first in stride(from: 0, to: count, by: 250) {
      var messages: [NewMessage] = []
      for number in first..<min(first + 250, count) {
        let stage = store.stageBody(expectedSize: nil)
        try await stage.append(sample.bytes(id: "\(account.rawValue).\(number)"))
        let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 0)
        messages.append(NewMessage(body: try await stage.finish(), internalDate: date))
      }
      _ = try await store.append(messages, to: name, of: account)
    }
  }

  /// One message at a time, as a client marks what it has read.
  private func changeFlags(writers: Int) async throws {
    let count = Counter()
    let clock = ContinuousClock()
    let start = clock.now
    let end = start + .seconds(seconds)
    let cpu = processorSeconds()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        let inbox = try await store.mailbox(named: .inbox, of: accounts[writer % accounts.count])!
        group.addTask {
          var number: UInt32 = 0
          while clock.now < end {
            let uid = UID(rawValue: number / 2 % UInt32(max(inbox.messageCount, 1)) + 1)
            let change: FlagChange =
              number % 2 == 0 ? .add(MessageFlags(.flagged)) : .remove(MessageFlags(.flagged))
            _ = try await store.changeFlags(in: inbox.id, uids: [uid], change, unchangedSince: nil)
            number += 1
            count.add()
          }
        }
      }
      try await group.waitForAll()
    }
    let rate = Double(count.value) / (clock.now - start).seconds
    let cost = rounded((processorSeconds() - cpu) / Double(count.value) * 1e3)
    print("flag changes, \(writers) writer\(writers == 1 ? "" : "s") | – | \(Int(rate))/s, CPU \(cost) ms each | –")
  }

  /// All of a mailbox at once, as a client empties it, and message by message.
  private func expunge() async throws {
    let account = accounts[0]
    let name = MailboxName("Expunged")!
    let mailbox = try await store.createMailbox(name, specialUse: nil, of: account).id
    try await fill(name, of: account, count: Self.expunged)
    var cpu = processorSeconds()
    var gone = 0
    let whole = try await elapsed {
      gone = try await store.expunge(in: mailbox, uids: nil, onlyDeleted: false).count
    }
    print(
      "expunge of \(gone) at once | – | \(rounded(whole * 1e3)) ms, "
        + "CPU \(rounded((processorSeconds() - cpu) * 1e3)) ms | –")
    try await fill(name, of: account, count: 1_000)
    let uids = try await store.index(of: mailbox).uids
    cpu = processorSeconds()
    let each = try await elapsed {
      for uid in uids { _ = try await store.expunge(in: mailbox, uids: [uid], onlyDeleted: false) }
    }
    print(
      "expunge of \(uids.count), one by one | – | \(Int(Double(uids.count) / each))/s, "
        + "CPU \(rounded((processorSeconds() - cpu) / Double(uids.count) * 1e3)) ms each | –")
  }

  /// SELECT and FETCH as a session asks for them.
  private func read() async throws {
    let account = accounts[1]
    let name = MailboxName("Read")!
    let mailbox = try await store.createMailbox(name, specialUse: nil, of: account).id
    try await fill(name, of: account, count: 10_000)
    let cold = try await elapsed { _ = try await store.index(of: mailbox) }
    let warm = try await elapsed { _ = try await store.index(of: mailbox) }
    let uids = try await store.index(of: mailbox).uids
    print("index of \(uids.count) messages, first, again | – | \(rounded(cold * 1e3)), \(rounded(warm * 1e3)) ms | –")
    var entries: [MessageEntry] = []
    func row(_ what: String, _ seconds: Double, _ count: Int) {
      print("\(what), a message | – | \(rounded(seconds / Double(count) * 1e6)) µs | –")
    }
    let ranges = stride(from: 0, to: uids.count, by: 500).map { $0..<min($0 + 500, uids.count) }
    row(
      "entries",
      try await elapsed {
        for range in ranges { entries += try await store.entries(in: mailbox, uids: Array(uids[range])) }
      }, uids.count)
    row(
      "structures",
      try await elapsed { for range in ranges { _ = try await store.structures(of: entries[range].map(\.content)) } },
      entries.count)
    row(
      "bodies, 50 at a time",
      try await elapsed {
        for first in stride(from: 0, to: entries.count, by: 50) {
          let piece = entries[first..<min(first + 50, entries.count)]
          _ = try await store.read(piece.map { (content: $0.content, range: 0..<$0.size) })
        }
      }, entries.count)
    row(
      "bodies",
      try await elapsed { for entry in entries { _ = try await store.read(entry.content, range: 0..<entry.size) } },
      entries.count)
  }
}
