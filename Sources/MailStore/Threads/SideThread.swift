import Threads

/// A thread that does something for another one, which does something else meanwhile and then waits.
final class SideThread: @unchecked Sendable {
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var work: (() -> Void)?
  private var isBusy = false
  private var isStopping = false

  func start() { startThread { [self] in serve() } }

  /// `work` runs on this thread. Every `begin` is followed by a `wait` before the next.
  func begin(_ work: @escaping () -> Void) {
    monitor.withLock {
      self.work = work
      isBusy = true
      monitor.signalAll()
    }
  }

  /// Returns when the work is done.
  func wait() {
    monitor.withLock {
      while isBusy { monitor.wait() }
    }
  }

  /// The thread ends. Only when nothing is under way.
  func stop() {
    monitor.withLock {
      isStopping = true
      monitor.signalAll()
    }
  }

  private func serve() {
    while let work = next() {
      work()
      monitor.withLock {
        isBusy = false
        monitor.signalAll()
      }
    }
  }

  private func next() -> (() -> Void)? {
    monitor.withLock {
      while true {
        if let work {
          self.work = nil
          return work
        }
        if isStopping { return nil }
        monitor.wait()
      }
    }
  }
}
