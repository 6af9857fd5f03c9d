import CUnbound

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the resolver's thread does: hands questions to libunbound, answers to whoever asked, and gives up in time.
struct ResolverThread: ~Copyable {
  private let context: UnboundContext
  private let queue: QuestionQueue
  /// By libunbound's numbers. They are what keeps the objects alive that libunbound points to.
  private var open: [Int32: Question] = [:]

  init(_ context: consuming UnboundContext, _ queue: QuestionQueue) {
    self.context = context
    self.queue = queue
  }

  consuming func run() {
    let queue = self.queue
    while serve() {}
    end()
    queue.ended()
  }

  /// Frees the context, with libunbound's own thread in it.
  private consuming func end() {
    for question in open.values { question.settle(.failure(.closed)) }
  }

  /// One turn; false if it was the last.
  private mutating func serve() -> Bool {
    let (arrived, isClosed) = queue.take()
    if isClosed {
      for question in arrived { question.settle(.failure(.closed)) }
      return false
    }
    for question in arrived { start(question) }
    dropOverdue()
    wait()
    context.process()
    forgetSettled()
    return true
  }

  private mutating func start(_ question: Question) {
    let argument = Unmanaged.passUnretained(question).toOpaque()
    switch context.ask(question.name, question.type, argument: argument, callback: answerArrived) {
    case .success(let number): open[number] = question
    case .failure(let error):
      question.settle(.failure(error))
      queue.finished(1)
    }
  }

  private func dropOverdue() {
    let now = ContinuousClock.now
    for question in open.values where question.deadline <= now { question.settle(.failure(.timedOut)) }
  }

  /// Whoever was answered, cancelled or too late is no business of libunbound's any more.
  private mutating func forgetSettled() {
    let settled = open.filter { $0.value.isSettled }
    for number in settled.keys {
      // Of those that were answered it knows nothing any more and says so.
      context.cancel(number)
      open[number] = nil
    }
    queue.finished(settled.count)
  }

  private func wait() {
    var descriptors = [
      pollfd(fd: context.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: queue.wakeDescriptor, events: Int16(POLLIN), revents: 0),
    ]
    var milliseconds: Int32 = -1
    if let next = open.values.lazy.map(\.deadline).min() {
      let (seconds, attoseconds) = (next - .now).components
      milliseconds = Int32(clamping: max(0, seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1))
    }
    poll(&descriptors, 2, milliseconds)
  }
}

/// Called by libunbound from within `process`, on the resolver's thread. At file scope: a closure of an isolated place
/// would trap there.
private func answerArrived(
  _ argument: UnsafeMutableRawPointer?, _ code: Int32, _ result: UnsafeMutablePointer<ub_result>?
) {
  guard let argument else { return ub_resolve_free(result) }
  let question = Unmanaged<Question>.fromOpaque(argument).takeUnretainedValue()
  question.settle(RawAnswer.taking(result, code, for: question.name))
}
