import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Questions on their way to the resolver's thread, and the pipe that wakes it.
final class QuestionQueue: Sendable {
  private struct State {
    var arrived: [Question] = []
    /// Those that the thread has, too.
    var open = 0
    var isClosed = false
    var hasEnded = false
    var endWaiters: [CheckedContinuation<Void, Never>] = []
  }

  /// Readable once there is something to do.
  let wakeDescriptor: Int32
  private let writeDescriptor: Int32
  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) throws(ResolverSetupError) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw ResolverSetupError(description: "DNS: there is no file descriptor left") }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    wakeDescriptor = ends[0]
    writeDescriptor = ends[1]
    self.limit = limit
  }

  deinit {
    closeDescriptor(wakeDescriptor)
    closeDescriptor(writeDescriptor)
  }

  func add(_ question: Question) throws(ResolutionError) {
    let problem: ResolutionError? = state.withLock { state in
      if state.isClosed { return .closed }
      if state.open >= limit { return .busy }
      state.open += 1
      state.arrived.append(question)
      return nil
    }
    if let problem { throw problem }
    wake()
  }

  var openCount: Int { state.withLock { $0.open } }

  /// Called by the thread: what has arrived, and whether it is to end.
  func take() -> (arrived: [Question], isClosed: Bool) {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(wakeDescriptor, &bytes, bytes.count) > 0 {}
    return state.withLock { state in
      defer { state.arrived = [] }
      return (state.arrived, state.isClosed)
    }
  }

  /// Called by the thread for each question that it is done with.
  func finished(_ count: Int) { state.withLock { $0.open -= count } }

  /// Has the thread look at its questions again. A full pipe wakes as well as one more byte in it.
  func wake() {
    var byte: UInt8 = 1
    _ = write(writeDescriptor, &byte, 1)
  }

  func close() {
    state.withLock { $0.isClosed = true }
    wake()
  }

  /// Called by the thread as its last act.
  func ended() {
    let waiters = state.withLock { state in
      state.hasEnded = true
      defer { state.endWaiters = [] }
      return state.endWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  func untilEnded() async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if !state.hasEnded { state.endWaiters.append(continuation) }
        return state.hasEnded
      }
      if hasEnded { continuation.resume() }
    }
  }
}

/// The system's `close`, which the queue's own hides.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
