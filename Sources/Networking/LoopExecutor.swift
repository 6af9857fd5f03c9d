import NIOCore

/// Runs a session's task on the event loop of its connection, so that what arrives is answered without waking another
/// thread: a command costs one wake-up of the loop instead of three of two threads.
final class LoopExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
  }
}
