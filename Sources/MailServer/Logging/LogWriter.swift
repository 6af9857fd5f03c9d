import Synchronization
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lines on their way to a descriptor: sessions put them into a bounded queue, one thread writes what has gathered.
///
/// A reader that is slow or stuck costs lines, never a session: beyond the bound lines are dropped and their number is
/// told once there is room.
package final class LogWriter: Sendable {
  private struct State {
    var queue: [UInt8] = []
    var dropped = 0
    var isWriting = false
    var isClosed = false
  }

  private let state = Mutex(State())
  private let ready = Semaphore()
  private let idle = Semaphore()
  private let descriptor: Int32
  private let limit: Int

  package init(descriptor: Int32, limit: Int = 1 << 20) {
    self.descriptor = descriptor
    self.limit = limit
    startThread { [self] in run() }
  }

  /// Queues a line that ends in LF.
  package func write(_ line: [UInt8]) {
    let wasEmpty = state.withLock { state -> Bool in
      guard !state.isClosed, state.queue.count + line.count <= limit else {
        state.dropped += 1
        return false
      }
      defer { state.queue.append(contentsOf: line) }
      return state.queue.isEmpty && !state.isWriting
    }
    if wasEmpty { ready.signal() }
  }

  /// Returns when everything queued has been written, and ends the thread. A reader that is stuck is waited for two
  /// seconds: it must not keep a server from stopping.
  package func close() {
    let isFirst = state.withLock { state -> Bool in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    guard isFirst else { return }
    ready.signal()
    idle.wait(seconds: 2)
  }

  /// Between two writes: a write for each line of a busy server costs more than the line.
  private static let shortestPause = Duration.milliseconds(5)

  private func run() {
    var lastWrite: ContinuousClock.Instant?
    while true {
      ready.wait()
      while true {
        if let lastWrite { sleep(until: lastWrite + Self.shortestPause) }
        lastWrite = .now
        let (lines, dropped, isLast) = state.withLock { state -> ([UInt8], Int, Bool) in
          defer {
            state.queue = []
            state.dropped = 0
            state.isWriting = !state.queue.isEmpty
          }
          return (state.queue, state.dropped, state.isClosed)
        }
        if !lines.isEmpty { _ = writeAll(lines, to: descriptor) }
        if dropped > 0 {
          _ = writeAll(Array("level=warning event=log_lines_dropped count=\(dropped)\n".utf8), to: descriptor)
        }
        if lines.isEmpty && dropped == 0 {
          if isLast {
            idle.signal()
            return
          }
          break
        }
      }
    }
  }
}

private func sleep(until end: ContinuousClock.Instant) {
  while true {
    let (seconds, attoseconds) = (end - .now).components
    guard seconds >= 0, attoseconds > 0 else { return }
    var rest = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    nanosleep(&rest, nil)
  }
}

/// A counting semaphore, so that the writer's thread sleeps without holding one of Swift's.
private final class Semaphore: @unchecked Sendable {
  private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(handle, 0, 0) }
  deinit {
    sem_destroy(handle)
    handle.deallocate()
  }

  func signal() { sem_post(handle) }
  func wait() {
    while sem_wait(handle) != 0 && errno == EINTR {}
  }

  func wait(seconds: Int) {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += seconds
    while sem_timedwait(handle, &deadline) != 0 && errno == EINTR {}
  }
}
