import Delivery
import MailStore
import MessageFormat
import SMTP

/// Fills the queue of a store with messages that are due at once, to destinations `d0.zz`, `d1.zz` and so on:
/// `martlet-bench queue DIRECTORY COUNT DESTINATIONS new|dead`. Of the dead it is known that they could not be reached the
/// last time.
struct QueueFill {
  let store: MailStore
  let sample = SampleMessage(size: 2_000)
  let now = WallClock.system.now()

  enum State: String {
    case new
    case dead
  }

  private static let tasks = 64

  static func run(at directory: String, count: Int, destinations: Int, _ state: State) async throws {
    let store = try await MailStore.open(at: directory)
    let fill = QueueFill(store: store)
    try await fill.each(count) { number in try await fill.enqueue(number, destination: number % destinations) }
    if state == .dead {
      let note = DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "no host answers").encoded
      try await fill.each(destinations) { number in
        try await store.settle(destination: Self.name(number), .unreachable(until: fill.now, result: note))
      }
    }
    await store.close()
  }

  private static func name(_ number: Int) -> String { "d\(number).zz" }

  private func each(_ count: Int, _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<Self.tasks {
        group.addTask {
          for number in stride(from: task, to: count, by: Self.tasks) { try await body(number) }
        }
      }
      try await group.waitForAll()
    }
  }

  private func enqueue(_ number: Int, destination: Int) async throws {
    let stage = store.stageBody(expectedSize: nil)
    try await stage.append(sample.bytes(id: "queue.\(number)"))
    let name = Self.name(destination)
    let message = NewQueuedMessage(
      sender: EmailAddress("alice@bench.test"), notBefore: now, expires: now.advanced(by: .seconds(86_400)),
      recipients: [NewQueuedRecipient(address: EmailAddress("user@\(name)")!, destination: name)])
    _ = try await store.deliver(
      try await stage.finish(), to: [], queued: [message], internalDate: DateTime(timestamp: now, offsetMinutes: 0))
  }
}
