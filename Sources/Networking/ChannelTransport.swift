import Cryptography
import NIOCore
import Synchronization

/// A `Connection`'s bytes over a NIO channel: the side that the session's task calls, from any thread.
///
/// What the session sends is queued here and fetched by the event loop in one go, so several `send`s cost one hop and one
/// system call.
final class ChannelTransport: ConnectionTransport {
  private struct Output {
    var queue: [[UInt8]] = []
    /// Queued or handed to the channel, and not yet taken by the system.
    var pending = 0
    var willFlush = false
    var isClosed = false
    var waiters: [CheckedContinuation<Bool, Never>] = []
  }

  /// A waiting sender goes on below the low mark, and waits above the high one.
  private static let lowMark = 16_384
  private static let highMark = 65_536

  private let eventLoop: any EventLoop
  private let timers: TransportTimers
  /// For the task of the connection's session.
  let executor: LoopExecutor
  private let output = Mutex(Output())
  /// The other side, on the event loop; touched there alone. Nil once the channel is closed.
  nonisolated(unsafe) var handler: ConnectionHandler?

  init(eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    timers = TransportTimers(eventLoop: eventLoop)
    executor = LoopExecutor(eventLoop)
  }

  // MARK: For the session

  func send(_ bytes: [UInt8]) {
    let mustFlush = output.withLock { output in
      guard !output.isClosed else { return false }
      output.queue.append(bytes)
      output.pending += bytes.count
      defer { output.willFlush = true }
      return !output.willFlush
    }
    if mustFlush { eventLoop.execute { self.handler?.flush() } }
  }

  var pendingByteCount: Int { output.withLock { $0.pending } }

  func waitUntilWritable() async throws(ConnectionError) {
    let isOpen = await withCheckedContinuation { continuation in
      let answer = output.withLock { output -> Bool? in
        if output.isClosed { return false }
        if output.pending < Self.highMark { return true }
        output.waiters.append(continuation)
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
    if !isOpen { throw .closed }
  }

  func setReading(_ enabled: Bool) {
    // Called on the loop to stop and from the session to go on; the order of the two is kept, because the loop runs
    // what the session asks for after what it is doing now.
    if eventLoop.inEventLoop {
      handler?.setReading(enabled)
    } else {
      eventLoop.execute { self.handler?.setReading(enabled) }
    }
  }

  func startTLS(_ side: TLSSide) async throws(ConnectionError) -> TLSInfo {
    let result: Result<TLSInfo, ConnectionError> = await withCheckedContinuation { continuation in
      eventLoop.execute {
        guard let handler = self.handler else { return continuation.resume(returning: .failure(.closed)) }
        handler.startTLS(side) { continuation.resume(returning: $0) }
      }
    }
    return try result.get()
  }

  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> any ScheduledCall {
    TransportTimer(timers: timers, id: timers.schedule(after: delay, body))
  }

  func close(_ mode: CloseMode) {
    eventLoop.execute { self.handler?.close(mode) }
  }

  // MARK: For the handler

  /// What is to be sent now, in order.
  func takeQueue() -> [[UInt8]] {
    output.withLock { output in
      output.willFlush = false
      defer { output.queue = [] }
      return output.queue
    }
  }

  func didSend(_ count: Int) {
    let waiters = output.withLock { output -> [CheckedContinuation<Bool, Never>] in
      output.pending -= count
      guard output.pending < Self.lowMark, !output.waiters.isEmpty else { return [] }
      defer { output.waiters = [] }
      return output.waiters
    }
    for waiter in waiters { waiter.resume(returning: true) }
  }

  func didClose() {
    handler = nil
    timers.close()
    let waiters = output.withLock { output in
      let waiters = output.waiters
      output = Output(isClosed: true)
      return waiters
    }
    for waiter in waiters { waiter.resume(returning: false) }
  }
}
