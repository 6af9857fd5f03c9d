package import MessageFormat
package import Networking
import Synchronization

/// A clock that stands still until it is moved, and the timers that hang on it.
package final class FakeClock: Sendable {
  private struct Timer {
    var deadline: Int64
    var body: @Sendable () -> Void
  }
  private struct State {
    var now: Int64
    var nextID = 0
    var timers: [Int: Timer] = [:]
  }
  private let state: Mutex<State>

  /// - Parameter start: by default 15 January 2026, 12:00 UTC, a Thursday.
  package init(start: Timestamp = Timestamp(seconds: 1_768_478_400)) {
    state = Mutex(State(now: start.microseconds))
  }

  package var now: Timestamp { Timestamp(microseconds: state.withLock { $0.now }) }
  package var wallClock: WallClock { WallClock { self.now } }
  package var pendingTimerCount: Int { state.withLock { $0.timers.count } }

  package func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> any ScheduledCall {
    state.withLock { state in
      state.nextID += 1
      state.timers[state.nextID] = Timer(deadline: state.now &+ delay.microseconds, body: body)
      return Scheduled(clock: self, id: state.nextID)
    }
  }

  /// Moves to the earliest deadline not later than `target` and fires its timer; false if there is none.
  package func fireNext(until target: Timestamp) -> Bool {
    let due: (@Sendable () -> Void)? = state.withLock { state in
      let earliest = state.timers.min { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
      guard let (id, timer) = earliest, timer.deadline <= target.microseconds else { return nil }
      state.timers[id] = nil
      state.now = max(state.now, timer.deadline)
      return timer.body
    }
    due?()
    return due != nil
  }

  /// Moves on without firing anything.
  package func move(to target: Timestamp) { state.withLock { $0.now = max($0.now, target.microseconds) } }

  private struct Scheduled: ScheduledCall {
    let clock: FakeClock
    let id: Int
    func cancel() { clock.state.withLock { $0.timers[id] = nil } }
  }
}

extension Duration {
  fileprivate var microseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000
  }
}
