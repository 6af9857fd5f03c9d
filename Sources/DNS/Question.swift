import Synchronization

/// Somebody waits for an answer. It gets one, the first that comes.
final class Question: Sendable {
  typealias Outcome = Result<RawAnswer, ResolutionError>

  let name: DomainName
  let type: RecordType
  let deadline: ContinuousClock.Instant

  private enum State {
    case fresh
    case waiting(CheckedContinuation<Outcome, Never>)
    case settled(Outcome)
  }
  private let state = Mutex(State.fresh)

  init(_ name: DomainName, _ type: RecordType, deadline: ContinuousClock.Instant) {
    self.name = name
    self.type = type
    self.deadline = deadline
  }

  var isSettled: Bool { state.withLock { if case .settled = $0 { true } else { false } } }

  func settle(_ outcome: Outcome) {
    let continuation: CheckedContinuation<Outcome, Never>? = state.withLock { state in
      switch state {
      case .settled: return nil
      case .fresh:
        state = .settled(outcome)
        return nil
      case .waiting(let continuation):
        state = .settled(outcome)
        return continuation
      }
    }
    continuation?.resume(returning: outcome)
  }

  /// To be called once.
  func outcome() async -> Outcome {
    await withCheckedContinuation { continuation in
      let settled: Outcome? = state.withLock { state in
        if case .settled(let outcome) = state { return outcome }
        state = .waiting(continuation)
        return nil
      }
      if let settled { continuation.resume(returning: settled) }
    }
  }
}
