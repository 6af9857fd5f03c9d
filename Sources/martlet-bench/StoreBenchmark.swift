import MailStore
import MessageFormat
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Durable appends a second, CPU a message, and the bare disk's own rate with the same bytes in the same groups.
/// `martlet-bench DIRECTORY [seconds a case]`; the directory must be on the disk in question and not exist.
@main
struct StoreBenchmark {
  static func main() async throws {
    let arguments = CommandLine.arguments
    if arguments.count == 4, arguments[1] == "acknowledge" {
      return try await AcknowledgedDeliveries.start(at: arguments[2], run: arguments[3])
    }
    if arguments.count == 5, arguments[1] == "fill", let count = Int(arguments[3]), let size = Int(arguments[4]) {
      return try await StoreFill.run(at: arguments[2], count: count, size: size)
    }
    if arguments.count >= 3, arguments[1] == "repair" {
      return try await RepairBenchmark.run(
        at: arguments[2], messages: arguments.count > 3 ? Int(arguments[3]) ?? 100_000 : 100_000)
    }
    guard arguments.count >= 2 else {
      return print(
        """
        usage: martlet-bench DIRECTORY [SECONDS]
               martlet-bench acknowledge DIRECTORY RUN
               martlet-bench fill DIRECTORY COUNT SIZE
               martlet-bench repair DIRECTORY [MESSAGES]
        """)
    }
    let seconds = arguments.count > 2 ? Double(arguments[2]) ?? 3 : 3
    let store = try await MailStore.open(at: arguments[1])
    let domain = Domain("example.test")!
    try await store.addDomain(domain)
    var accounts: [AccountID] = []
    for number in 0..<50 {
      accounts.append(
        try await store.addAccount(
          EmailAddress(localPart: "user\(number)", domain: domain), secrets: [], quota: Quota()))
    }
    print("size    writers  messages/s  CPU ms/message  elapsed ms/message  group  ms/group")
    for size in [2_048, 10_240] {
      for writers in [1, 10, 50] {
        let rate = try await deliver(store, accounts, size: size, writers: writers, seconds: seconds)
        print(rate.line(size: size, writers: writers))
      }
    }
    for (size, group) in [(2_048, 1), (2_048, 10), (2_048, 50), (10_240, 1), (10_240, 10), (10_240, 50)] {
      let rate = bareAppends(arguments[1], size: size, group: group, seconds: seconds / 3)
      print("bare loop, \(size) octets in groups of \(group): \(Int(rate)) messages/s")
    }
    for writers in [1, 10, 50] { try await changeFlags(store, accounts, writers: writers, seconds: seconds) }
    try await read(store, accounts[0])
    await store.close()
  }

  struct Rate {
    var messages: Int
    var elapsed: Double
    var cpu: Double
    var group: Double
    var groupTime: Double

    func line(size: Int, writers: Int) -> String {
      let columns = [
        "\(size)".padded(8), "\(writers)".padded(9), "\(Int(Double(messages) / elapsed))".padded(12),
        "\(rounded(cpu / Double(messages) * 1e3))".padded(16),
        "\(rounded(elapsed / Double(messages) * 1e3))".padded(20),
        "\(rounded(group))".padded(7), "\(rounded(groupTime * 1e3))",
      ]
      return columns.joined()
    }
  }

  static func deliver(
    _ store: MailStore, _ accounts: [AccountID], size: Int, writers: Int, seconds: Double
  ) async throws -> Rate {
    let count = Counter()
    let clock = ContinuousClock()
    let start = clock.now
    let end = start + .seconds(seconds)
    let cpu = processorSeconds()
    guard let engine = store.engine as? SQLiteEngine else { preconditionFailure("another engine") }
    let before = engine.commitStatistics
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<writers {
        group.addTask {
          var number = 0
          while clock.now < end {
            number += 1
            let stage = store.stageBody(expectedSize: size)
            try await stage.append(message("\(writer).\(number).\(size).\(writers)", size: size))
            let body = try await stage.finish()
            let recipient = LocalDelivery(
              account: accounts[writer % accounts.count],
              prefix: Array("Return-Path: <a@example.test>\r\nReceived: from x by y\r\n".utf8))
            let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 0)
            for result in await store.deliver(body, to: [recipient], internalDate: date) { _ = try result.get() }
            count.add()
          }
        }
      }
      try await group.waitForAll()
    }
    let elapsed = (clock.now - start).seconds
    let after = engine.commitStatistics
    let groups = Double(after.groups - before.groups)
    return Rate(
      messages: count.value, elapsed: elapsed, cpu: processorSeconds() - cpu,
      group: Double(after.changes - before.changes) / groups, groupTime: (after.time - before.time).seconds / groups)
  }

  /// One message at a time, as a client marks what it has read.
  static func changeFlags(_ store: MailStore, _ accounts: [AccountID], writers: Int, seconds: Double) async throws {
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
    let elapsed = (clock.now - start).seconds
    let cost = rounded((processorSeconds() - cpu) / Double(count.value) * 1e3)
    print("flag changes, \(writers) writers: \(Int(Double(count.value) / elapsed))/s, CPU \(cost) ms each")
  }

  /// SELECT and FETCH as a session asks for them.
  static func read(_ store: MailStore, _ account: AccountID) async throws {
    let inbox = try await store.mailbox(named: .inbox, of: account)!
    let clock = ContinuousClock()
    var start = clock.now
    var index = try await store.index(of: inbox.id)
    print("index of \(index.uids.count) messages, cold: \(rounded((clock.now - start).seconds * 1e3)) ms")
    start = clock.now
    index = try await store.index(of: inbox.id)
    print("the same, warm: \(rounded((clock.now - start).seconds * 1e6)) µs")
    start = clock.now
    var entries: [MessageEntry] = []
    for position in stride(from: 0, to: index.uids.count, by: 500) {
      entries += try await store.entries(
        in: inbox.id, uids: Array(index.uids[position..<min(position + 500, index.uids.count)]))
    }
    print("entries: \(rounded((clock.now - start).seconds / Double(entries.count) * 1e6)) µs a message")
    start = clock.now
    for position in stride(from: 0, to: entries.count, by: 500) {
      let contents = entries[position..<min(position + 500, entries.count)].map(\.content)
      _ = try await store.structures(of: contents)
    }
    print("structures: \(rounded((clock.now - start).seconds / Double(entries.count) * 1e6)) µs a message")
    start = clock.now
    for position in stride(from: 0, to: entries.count, by: 50) {
      let piece = entries[position..<min(position + 50, entries.count)]
      _ = try await store.read(piece.map { (content: $0.content, range: 0..<$0.size) })
    }
    print("bodies, 50 at a time: \(rounded((clock.now - start).seconds / Double(entries.count) * 1e6)) µs a message")
    start = clock.now
    for entry in entries.prefix(5_000) { _ = try await store.read(entry.content, range: 0..<entry.size) }
    print("bodies: \(rounded((clock.now - start).seconds / Double(min(entries.count, 5_000)) * 1e6)) µs a message")
  }

  /// The same bytes appended and flushed in groups of the same size by a bare loop: what the disk can do at all.
  static func bareAppends(_ directory: String, size: Int, group: Int, seconds: Double) -> Double {
    let path = "\(directory)/bare"
    let descriptor = open(path, O_CREAT | O_RDWR, 0o600)
    defer {
      close(descriptor)
      unlink(path)
    }
    let bytes = [UInt8](repeating: 65, count: size * group)
    let clock = ContinuousClock()
    let start = clock.now
    var messages = 0
    while clock.now < start + .seconds(seconds) {
      _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      fdatasync(descriptor)
      messages += group
    }
    return Double(messages) / (clock.now - start).seconds
  }

  static func message(_ id: String, size: Int) -> [UInt8] {
    var text = Array(
      """
      From: Somebody <somebody@example.test>\r
      To: Somebody Else <else@example.test>\r
      Subject: A letter of some length, number \(id)\r
      Message-ID: <\(id)@example.test>\r
      Date: Wed, 17 Jul 1996 02:44:25 -0700\r
      MIME-Version: 1.0\r
      Content-Type: text/plain; charset=utf-8\r
      \r

      """.utf8)
    let line = Array("The quick brown fox jumps over the lazy dog, and then does it once more.\r\n".utf8)
    while text.count < size { text += line }
    return text
  }

  static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

private final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .relaxed) }
  func add() { count.add(1, ordering: .relaxed) }
}

func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
