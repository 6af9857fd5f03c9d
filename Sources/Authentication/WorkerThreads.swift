import Glibc

/// A few real threads for calls that block or compute for long, so that Swift's shared threads stay free.
final class WorkerThreads: Sendable {
  private let queue: JobQueue

  /// - Parameter waitingLimit: jobs that may wait; more are turned away, so that a flood of logins eats no memory.
  init(count: Int, waitingLimit: Int) {
    queue = JobQueue(waitingLimit: waitingLimit)
    for _ in 0..<max(count, 1) {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(queue)
      if pthread_create(&thread, nil, runJobs, argument.toOpaque()) == 0 {
        pthread_detach(thread)
      } else {
        argument.release()
      }
    }
  }

  deinit { queue.close() }

  /// Runs `body` on one of the threads; nil if too many jobs wait already.
  func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result? {
    await withCheckedContinuation { continuation in
      if !queue.add({ continuation.resume(returning: body()) }) { continuation.resume(returning: nil) }
    }
  }
}

/// What pthread_create calls; at file scope, so that no actor's isolation is checked on a thread Swift doesn't know.
private func runJobs(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let queue = Unmanaged<JobQueue>.fromOpaque(argument).takeRetainedValue()
  while let job = queue.next() { job() }
  return nil
}

/// First in, first out; guarded by a mutex and a condition, whose addresses must not change.
private final class JobQueue: @unchecked Sendable {
  typealias Job = @Sendable () -> Void

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let waitingLimit: Int
  private var jobs: [Job] = []
  private var first = 0
  private var isClosed = false

  init(waitingLimit: Int) {
    self.waitingLimit = waitingLimit
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func add(_ job: @escaping Job) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard !isClosed, jobs.count - first < waitingLimit else { return false }
    jobs.append(job)
    pthread_cond_signal(condition)
    return true
  }

  /// Waits for a job; nil once the queue is closed and empty.
  func next() -> Job? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while first == jobs.count {
      if isClosed { return nil }
      pthread_cond_wait(condition, mutex)
    }
    let job = jobs[first]
    first += 1
    if first == jobs.count || first > 256 {
      jobs.removeFirst(first)
      first = 0
    }
    return job
  }

  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
