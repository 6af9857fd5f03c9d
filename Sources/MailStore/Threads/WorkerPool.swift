import DequeModule
import Threads

/// A few threads that do what blocks, each with a context of its own (a database connection). Started when first
/// needed.
final class WorkerPool<Context>: @unchecked Sendable {
  private typealias Job = (Context?) -> Void

  private let limit: Int
  private let makeContext: @Sendable () -> Context?
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var jobs = Deque<Job>()
  private var threads = 0
  private var idle = 0
  private var stopping = false
  private var stopWaiters: [CheckedContinuation<Void, Never>] = []

  /// A thread whose context cannot be made hands its jobs nil and tries again with the next.
  init(threads limit: Int, makeContext: @escaping @Sendable () -> Context?) {
    self.limit = limit
    self.makeContext = makeContext
  }

  /// Runs `work` on one of the threads. It gets nil where no context could be made, or after `stop`.
  func run<Result: Sendable>(_ work: @escaping @Sendable (Context?) -> Result) async -> Result {
    await withCheckedContinuation { continuation in
      let accepted = submit { continuation.resume(returning: work($0)) }
      if !accepted { continuation.resume(returning: work(nil)) }
    }
  }

  /// Runs `work` and waits for nothing. False, and nothing is done, after `stop`.
  @discardableResult
  func submit(_ work: @escaping @Sendable (Context?) -> Void) -> Bool {
    let (accepted, starts) = monitor.withLock {
      guard !stopping else { return (false, false) }
      jobs.append(work)
      if idle >= jobs.count || threads == limit {
        monitor.signal()
        return (true, false)
      }
      threads += 1
      return (true, true)
    }
    if starts { startThread { [self] in serve() } }
    return accepted
  }

  /// Finishes what is queued, then ends the threads and lets go of their contexts.
  func stop() async {
    await withCheckedContinuation { continuation in
      let isDone = monitor.withLock {
        stopping = true
        monitor.signalAll()
        if threads == 0 { return true }
        stopWaiters.append(continuation)
        return false
      }
      if isDone { continuation.resume() }
    }
  }

  /// As `stop`, without waiting.
  func requestStop() {
    monitor.withLock {
      stopping = true
      monitor.signalAll()
    }
  }

  private func serve() {
    do {
      var context: Context?
      while let job = nextJob() {
        if context == nil { context = makeContext() }
        job(context)
      }
    }
    let waiters = monitor.withLock {
      threads -= 1
      guard threads == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { stopWaiters = [] }
      return stopWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private func nextJob() -> Job? {
    monitor.withLock {
      while true {
        if let job = jobs.popFirst() { return job }
        if stopping { return nil }
        idle += 1
        monitor.wait()
        idle -= 1
      }
    }
  }
}
