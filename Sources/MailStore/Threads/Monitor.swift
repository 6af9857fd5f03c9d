#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A mutex with a condition, for threads that sleep until there is work.
final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func withLock<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Only inside `withLock`.
  func wait() { pthread_cond_wait(condition, mutex) }

  /// Only inside `withLock`. Waits for a signal, but not longer than `duration`.
  func wait(atMost duration: Duration) {
    var end = timespec()
    clock_gettime(CLOCK_REALTIME, &end)
    let (seconds, attoseconds) = duration.components
    let nanoseconds = end.tv_nsec + Int(attoseconds / 1_000_000_000)
    end.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
    end.tv_nsec = nanoseconds % 1_000_000_000
    pthread_cond_timedwait(condition, mutex, &end)
  }
  func signal() { pthread_cond_signal(condition) }
  func signalAll() { pthread_cond_broadcast(condition) }
}

/// From here on the calling thread runs in the time that others leave it.
func lowerThreadPriority() {
  #if canImport(Glibc)
    // On Linux this is of the calling thread alone.
    setpriority(Int32(PRIO_PROCESS.rawValue), 0, 15)
  #else
    setpriority(PRIO_DARWIN_THREAD, 0, PRIO_DARWIN_BG)
  #endif
}
