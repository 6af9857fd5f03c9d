import Synchronization

/// Something has happened in one of the sessions of a test. Whoever waits for a condition looks at it again after each
/// event, so nothing polls and nothing sleeps.
package final class Activity: Sendable {
  private struct State {
    var version = 0
    var hasExpired = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }
  private let state = Mutex(State())

  package init() {}

  package func happened() { wake { $0.version &+= 1 } }

  /// Ends all waiting, for the watchdog.
  package func expire() { wake { $0.hasExpired = true } }

  /// Returns the first non-nil answer of `condition`, which is asked after each event; nil after `expire`.
  package func wait<Answer>(for condition: () throws -> Answer?) async rethrows -> Answer? {
    while true {
      let (seen, expired) = state.withLock { ($0.version, $0.hasExpired) }
      if let answer = try condition() { return answer }
      if expired { return nil }
      await withCheckedContinuation { continuation in
        let goesOn = state.withLock { state in
          if state.version != seen || state.hasExpired { return true }
          state.waiters.append(continuation)
          return false
        }
        if goesOn { continuation.resume() }
      }
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
