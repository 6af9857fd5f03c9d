package import Cryptography
package import Networking
import Synchronization

/// A connection's transport in memory. The test plays the client: it `deliver`s bytes and reads `output`.
///
/// Input goes to the connection from a task of its own, never from inside a call of the connection, as a network's would.
package final class InMemoryTransport: ConnectionTransport {
  private enum Event {
    case bytes([UInt8])
    case end(EndOfInput)
  }
  private struct State {
    var connection: Connection?
    var input: [Event] = []
    var isPumping = false
    var readingIsEnabled = true
    /// Everything the server has sent and the client has taken.
    var output: [UInt8] = []
    /// Sent while the client does not read.
    var untaken: [UInt8] = []
    var clientReads = true
    var writers: [CheckedContinuation<Result<Void, ConnectionError>, Never>] = []
    var handshake: CheckedContinuation<Result<TLSInfo, ConnectionError>, Never>?
    var isClosed = false
  }
  private let state = Mutex(State())
  private let clock: FakeClock
  private let activity: Activity
  /// Bytes that may be queued for a client that does not read before a writer has to wait.
  private static let highWaterMark = 65_536

  package init(clock: FakeClock, activity: Activity) {
    self.clock = clock
    self.activity = activity
  }

  /// Must be called once, before anything is delivered.
  package func attach(_ connection: Connection) { state.withLock { $0.connection = connection } }

  // MARK: The client's side

  package var output: [UInt8] { state.withLock { $0.output } }
  package var outputCount: Int { state.withLock { $0.output.count } }
  package func output(from start: Int) -> ArraySlice<UInt8> { state.withLock { $0.output[start...] } }
  package var isClosed: Bool { state.withLock { $0.isClosed } }
  package var isHandshaking: Bool { state.withLock { $0.handshake != nil } }
  /// True if no input is on its way to the session.
  package var isDrained: Bool {
    state.withLock { !$0.isPumping && ($0.input.isEmpty || !$0.readingIsEnabled) }
  }
  /// True while the session is held up by the client: a handshake or a full pipe.
  package var isBlocked: Bool { state.withLock { $0.handshake != nil || !$0.writers.isEmpty } }

  package func deliver(_ bytes: [UInt8]) {
    // In pieces, so that back-pressure can take hold in between as it does with a socket.
    var start = 0
    while start < bytes.count {
      let end = min(start + 16_384, bytes.count)
      enqueue(.bytes(Array(bytes[start..<end])))
      start = end
    }
  }

  package func endInput(_ end: EndOfInput) { enqueue(.end(end)) }

  package func completeHandshake(_ result: Result<TLSInfo, ConnectionError>) {
    let waiting = state.withLock { state in
      defer { state.handshake = nil }
      return state.handshake
    }
    waiting?.resume(returning: result)
    activity.happened()
  }

  package func setClientReads(_ reads: Bool) {
    let writers = state.withLock { state in
      state.clientReads = reads
      guard reads else { return [CheckedContinuation<Result<Void, ConnectionError>, Never>]() }
      state.output += state.untaken
      state.untaken = []
      defer { state.writers = [] }
      return state.writers
    }
    for writer in writers { writer.resume(returning: .success(())) }
    activity.happened()
  }

  // MARK: The connection's side

  package func send(_ bytes: [UInt8]) {
    state.withLock { state in
      guard !state.isClosed else { return }
      if state.clientReads { state.output += bytes } else { state.untaken += bytes }
    }
    activity.happened()
  }

  package var pendingByteCount: Int { state.withLock { $0.untaken.count } }

  package func waitUntilWritable() async throws(ConnectionError) {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Void, ConnectionError>, Never>) in
      let answer: Result<Void, ConnectionError>? = state.withLock { state in
        if state.isClosed { return .failure(.closed) }
        if state.untaken.count < Self.highWaterMark { return .success(()) }
        state.writers.append(continuation)
        return nil
      }
      if let answer { continuation.resume(returning: answer) } else { activity.happened() }
    }
    try result.get()
  }

  package func setReading(_ enabled: Bool) {
    state.withLock { $0.readingIsEnabled = enabled }
    pump()
  }

  package func startTLS(_ side: TLSSide) async throws(ConnectionError) -> TLSInfo {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<TLSInfo, ConnectionError>, Never>) in
      let isClosed = state.withLock { state in
        // What is still on its way was sent in plaintext.
        state.input.removeAll { if case .bytes = $0 { true } else { false } }
        if !state.isClosed { state.handshake = continuation }
        _ = state.connection?.takeBytesForHandshake()
        return state.isClosed
      }
      if isClosed { continuation.resume(returning: .failure(.closed)) }
      activity.happened()
    }
    return try result.get()
  }

  package func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> any ScheduledCall {
    clock.schedule(after: delay, body)
  }

  package func close(_ mode: CloseMode) {
    let (writers, handshake) = state.withLock { state in
      if !state.isClosed { state.input = [.end(.reset)] }
      state.isClosed = true
      state.readingIsEnabled = true
      defer {
        state.writers = []
        state.handshake = nil
      }
      return (state.writers, state.handshake)
    }
    for writer in writers { writer.resume(returning: .failure(.closed)) }
    handshake?.resume(returning: .failure(.closed))
    pump()
    activity.happened()
  }

  package func sessionIsWaiting() { activity.happened() }

  // MARK: Input on its way

  private func enqueue(_ event: Event) {
    state.withLock { if !$0.isClosed { $0.input.append(event) } }
    pump()
  }

  private func pump() {
    let starts = state.withLock { state in
      guard !state.isPumping, !state.input.isEmpty, state.readingIsEnabled, state.connection != nil else { return false }
      state.isPumping = true
      return true
    }
    if starts { Task { self.deliverInput() } }
  }

  private func deliverInput() {
    while true {
      let next: (Connection, Event)? = state.withLock { state in
        guard let connection = state.connection, state.readingIsEnabled, !state.input.isEmpty else {
          state.isPumping = false
          return nil
        }
        return (connection, state.input.removeFirst())
      }
      guard let (connection, event) = next else { break }
      switch event {
      case .bytes(let bytes): connection.transportDidReceive(bytes)
      case .end(let end): connection.transportDidEnd(end)
      }
    }
    activity.happened()
  }
}
