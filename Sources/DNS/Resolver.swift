import Threads

/// Answers questions about names: asks, validates and remembers, with libunbound.
///
/// It has one thread, which alone talks to libunbound; `close` ends it.
package final class Resolver: Resolving {
  private let questions: QuestionQueue
  private let timeLimit: Duration

  package init(_ settings: ResolverSettings) throws(ResolverSetupError) {
    questions = try QuestionQueue(limit: settings.mostQuestions)
    timeLimit = settings.timeLimit
    let context = ContextBox(try UnboundContext.make(settings))
    startThread { [questions] in
      if let context = context.take() { ResolverThread(context, questions).run() }
    }
  }

  deinit { questions.close() }

  /// Asks, unless the answer is remembered from earlier. Cancelling the task ends the wait at once.
  package func lookUp(_ name: DomainName, _ type: RecordType) async throws(ResolutionError) -> RawAnswer {
    let question = Question(name, type, deadline: .now + timeLimit)
    try questions.add(question)
    let outcome = await withTaskCancellationHandler {
      await question.outcome()
    } onCancel: {
      question.settle(.failure(.cancelled))
      questions.wake()
    }
    return try outcome.get()
  }

  /// How many wait for an answer.
  package var openQuestions: Int { questions.openCount }

  /// Ends every wait with `closed` and returns when the thread has ended.
  package func close() async {
    questions.close()
    await questions.untilEnded()
  }
}

/// Carries the context to its thread.
private final class ContextBox: @unchecked Sendable {
  private var context: UnboundContext?
  init(_ context: consuming UnboundContext) { self.context = consume context }
  /// Once, by one thread.
  func take() -> UnboundContext? { context.take() }
}
