import MailStore
import MessageFormat
package import Networking

/// The command's side of an import. Used by one task.
package final class ImportSink {
  private let channel: TransferChannel
  /// Counts what the server tells of commits.
  private(set) var stored = 0
  /// Sent, and not told of yet.
  private(set) var underWay = 0
  private var failures: [StoredMessages.Failure] = []
  private var problems: [String] = []

  /// How long the server may take over a commit.
  private static let patience = Duration.seconds(600)

  package init(_ connection: Connection) { channel = TransferChannel(connection) }

  // MARK: Origins

  func open(_ origin: ImportOrigin) async throws(TransferError) -> SettledOrigin {
    try await send(.mailbox, origin.payload)
    return try await reply(.settled)
  }

  func offer(_ offers: [ImportOffer]) async throws(TransferError) -> [Bool] {
    try await send(.offers, ImportOffers(offers).payload)
    let news: ImportNews = try await reply(.news)
    guard news.isNews.count == offers.count else { throw Self.otherVersion }
    return news.isNews
  }

  func leave(uidNext: UID?) async throws(TransferError) -> Leave {
    try await send(.leave, Departure(uidNext: uidNext).payload)
    return try await reply(.left)
  }

  /// Everything is on the server's disk when this returns.
  func end() async throws(TransferError) {
    try await send(.end, [])
    _ = try await frame(.ended)
    channel.close()
  }

  // MARK: Messages

  /// Octets of the message in hand, with CRLF for line ends.
  func octets(_ bytes: UnsafeRawBufferPointer) {
    var start = 0
    while start < bytes.count {
      let end = min(start + TransferLimits.chunk, bytes.count)
      channel.send(.octets, UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      start = end
    }
  }

  func octets(_ bytes: [UInt8]) async throws(TransferError) {
    bytes.withUnsafeBytes { octets($0) }
    try await passOn()
  }

  /// Ends the message in hand.
  func facts(_ facts: ImportFacts) async throws(TransferError) {
    underWay += 1
    try await send(.facts, facts.payload)
    try poll()
  }

  /// What was sent of the message in hand is void.
  func abandon() async throws(TransferError) { try await send(.abandoned, []) }

  /// Sends what has gathered, where that is worth it; waits while the server has enough to do.
  func passOn() async throws(TransferError) {
    guard channel.isFull else { return }
    do throws(TransferChannel.Failure) { try await channel.flush() } catch { throw await reason(error) }
  }

  /// A message could not be sent, for this reason.
  func note(_ problem: String) { problems.append(problem) }

  /// What has failed since the last call, for whatever reason.
  func takeProblems() -> (unsent: [String], unstored: [StoredMessages.Failure]) {
    defer {
      problems = []
      failures = []
    }
    return (problems, failures)
  }

  // MARK: The channel

  private static let otherVersion = TransferError.store("the server speaks another version of the protocol")

  private func send(_ kind: TransferFrame.Kind, _ payload: [UInt8]) async throws(TransferError) {
    do throws(TransferChannel.Failure) { try await channel.send(kind, payload) } catch { throw await reason(error) }
  }

  private func reply<Value: TransferValue>(_ kind: TransferFrame.Kind) async throws(TransferError) -> Value {
    guard let value = Value(payload: try await frame(kind).payload) else { throw Self.otherVersion }
    return value
  }

  /// The next frame of a kind; what the server tells of commits before it is counted.
  private func frame(_ kind: TransferFrame.Kind) async throws(TransferError) -> TransferFrame {
    while true {
      let frame: TransferFrame
      do throws(TransferChannel.Failure) {
        frame = try await channel.next(timeout: Self.patience)
      } catch {
        throw Self.words(error)
      }
      if frame.kind == kind { return frame }
      try take(frame)
    }
  }

  private func poll() throws(TransferError) {
    while let frame = try polled() { try take(frame) }
  }

  private func polled() throws(TransferError) -> TransferFrame? {
    do throws(TransferChannel.Failure) { return try channel.poll() } catch { throw Self.words(error) }
  }

  private func take(_ frame: TransferFrame) throws(TransferError) {
    switch frame.kind {
    case .stored:
      guard let told = StoredMessages(payload: frame.payload) else { throw Self.otherVersion }
      stored += told.stored
      underWay -= told.count
      failures += told.failures
    case .failed: throw .store(String(decoding: frame.payload, as: UTF8.self))
    default: throw Self.otherVersion
    }
  }

  /// Where sending fails the server may have said why before it went.
  private func reason(_ failure: TransferChannel.Failure) async -> TransferError {
    do throws(TransferError) {
      return .store(String(decoding: try await frame(.failed).payload, as: UTF8.self))
    } catch {
      return error
    }
  }

  private static func words(_ failure: TransferChannel.Failure) -> TransferError {
    switch failure {
    case .closed, .stopping: .store("the server has gone away; the same command goes on where it ended")
    case .malformed: otherVersion
    case .timedOut: .store("the server has not answered for \(patience.components.seconds) seconds")
    }
  }
}
