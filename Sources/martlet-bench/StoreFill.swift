import MailStore
import MessageFormat

/// Fills the first account of a store with messages, 100,000 a mailbox, as fast as they are committed in batches:
/// `martlet-bench fill DIRECTORY COUNT SIZE`. For measuring what a large store costs.
struct StoreFill {
  let store: MailStore
  let account: AccountID
  let sample: SampleMessage

  private static let mailboxSize = 100_000
  private static let batch = 250
  private static let tasks = 4

  static func run(at directory: String, count: Int, size: Int) async throws {
    let store = try await MailStore.open(at: directory)
    guard let account = store.directory.accounts.first?.id else { return print("the store has no account") }
    let fill = StoreFill(store: store, account: account, sample: SampleMessage(size: size))
    for first in stride(from: 0, to: count, by: mailboxSize) {
      guard let name = MailboxName("Large\(first / mailboxSize)") else { return }
      _ = try await store.createMailbox(name, specialUse: nil, of: account)
      try await fill.fill(name, numbers: first..<min(first + mailboxSize, count))
    }
    await store.close()
  }

  private func fill(_ name: MailboxName, numbers: Range<Int>) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<Self.tasks {
        group.addTask {
          let step = Self.batch * Self.tasks
          for first in stride(from: numbers.lowerBound + task * Self.batch, to: numbers.upperBound, by: step) {
            try await append(first..<min(first + Self.batch, numbers.upperBound), to: name)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func append(_ numbers: Range<Int>, to name: MailboxName) async throws {
    var messages: [NewMessage] = []
    for number in numbers {
      let stage = store.stageBody(expectedSize: nil)
      try await stage.append(sample.bytes(id: "fill.\(number)"))
      let date = DateTime(timestamp: Timestamp(seconds: 1_000_000_000 + Int64(number)), offsetMinutes: 0)
      messages.append(NewMessage(body: try await stage.finish(), internalDate: date))
    }
    _ = try await store.append(messages, to: name, of: account)
  }
}
