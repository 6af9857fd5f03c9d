import MailStore
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Durable appends a second by size and writers, as a share of what a bare loop reaches with the same octets in the same
/// groups. Store and loops take turns.
struct AppendBenchmark {
  private let directory: String
  private let store: MailStore
  private let accounts: [AccountID]
  private let groups: CommittedGroups
  private let size: Int
  private let sample: SampleMessage

  static let sizes = [2_048, 10_240, 102_400, 5 << 20]
  static let writers = [1, 10, 50, 200]
  private static let rounds = 3
  /// No round of the store writes more than this much.
  private static let roundOctets = 1 << 30

  static func run(at directory: String, seconds: Double, sizes: [Int], writers: [Int]) async throws {
    mkdir(directory, 0o700)
    for size in sizes {
      let groups = CommittedGroups()
      let place = "\(directory)/\(size)"
      let store = try await MailStore.open(at: place, options: StoreOptions(metrics: groups))
      let benchmark = AppendBenchmark(
        directory: directory, store: store, accounts: try await store.addAccounts(50), groups: groups, size: size,
        sample: SampleMessage(size: size))
      for writers in writers { try await benchmark.compare(writers: writers, seconds: seconds) }
      await store.close()
    }
  }

  private struct Sum {
    var messages = 0
    var seconds = 0.0
    mutating func add(_ other: (messages: Int, seconds: Double)) {
      messages += other.messages
      seconds += other.seconds
    }
    var rate: Double { Double(messages) / seconds }
  }

  private func compare(writers: Int, seconds: Double) async throws {
    var (ours, once, twice) = (Sum(), Sum(), Sum())
    var (cpu, committed) = (0.0, 0)
    // A log that is still growing costs more to flush than one that is written over, and a server's is mostly that.
    _ = try await deliver(writers: writers, seconds: seconds)
    for _ in 0..<Self.rounds {
      // Nobody pays for what the one before has left unwritten.
      sync()
      _ = groups.take()
      let before = processorSeconds()
      ours.add(try await deliver(writers: writers, seconds: seconds))
      cpu += processorSeconds() - before
      let sizes = groups.take()
      committed += sizes.count
      sync()
      once.add(BareLoop(directory: directory, messageSize: size, flushes: 1).run(sizes, seconds: seconds))
      sync()
      twice.add(BareLoop(directory: directory, messageSize: size, flushes: 2).run(sizes, seconds: seconds))
    }
    let label = "\(size >= 1 << 20 ? "\(size >> 20) MB" : "\(size >> 10) KB"), \(writers) writer\(writers == 1 ? "" : "s")"
    let share = { (rate: Double) in "\(Int((ours.rate / rate * 100).rounded())) %" }
    print(
      """
      \(label), in groups of \(rounded(Double(ours.messages) / Double(committed))) \
      | bare loop, one flush \(Int(once.rate)), two \(Int(twice.rate)) msg/s \
      | \(Int(ours.rate)) msg/s, CPU \(rounded(cpu / Double(ours.messages) * 1e3)) ms each \
      | \(share(once.rate)), \(share(twice.rate))
      """)
  }

  private func deliver(writers: Int, seconds: Double) async throws -> (messages: Int, seconds: Double) {
    let count = Counter()
    let most = max(Self.roundOctets / size, writers)
    let clock = ContinuousClock()
    let start = clock.now
    let end = start + .seconds(seconds)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          var number = 0
          while clock.now < end, count.value < most {
            number += 1
            try await deliver("\(writer).\(number).\(writers)", to: accounts[writer % accounts.count])
            count.add()
          }
        }
      }
      try await group.waitForAll()
    }
    return (count.value, (clock.now - start).seconds)
  }

  private func deliver(_ id: String, to account: AccountID) async throws {
    let stage = store.stageBody(expectedSize: size)
    for piece in sample.pieces(id: id) { try await stage.append(piece) }
    let body = try await stage.finish()
    let recipient = LocalDelivery(
      account: account, prefix: Array("Return-Path: <a@example.test>\r\nReceived: from x by y\r\n".utf8))
    let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 0)
    for result in await store.deliver(body, to: [recipient], internalDate: date) { _ = try result.get() }
  }
}
