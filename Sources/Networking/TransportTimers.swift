import NIOCore
import Synchronization

/// The timers of one connection, made for sessions that arm one before every wait and cancel it right after.
///
/// The event loop is asked only when nothing earlier is armed already; a timer that was cancelled in the meantime lets
/// the loop wake up for nothing once, which costs far less than two hops for each command.
final class TransportTimers: Sendable {
  private struct Call {
    let id: UInt64
    let deadline: NIODeadline
    let body: @Sendable () -> Void
  }

  private struct State {
    var calls: [Call] = []
    var nextID: UInt64 = 0
    var armed: (deadline: NIODeadline, scheduled: Scheduled<Void>?)?
    var isClosed = false
  }

  private let eventLoop: any EventLoop
  private let state = Mutex(State())

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> UInt64 {
    let deadline = NIODeadline.now() + TimeAmount(delay)
    let (id, mustArm) = state.withLock { state -> (UInt64, Bool) in
      state.nextID += 1
      guard !state.isClosed else { return (state.nextID, false) }
      state.calls.append(Call(id: state.nextID, deadline: deadline, body: body))
      return (state.nextID, Self.claimArming(&state, deadline))
    }
    if mustArm { arm(deadline) }
    return id
  }

  func cancel(_ id: UInt64) {
    state.withLock { state in
      if let index = state.calls.firstIndex(where: { $0.id == id }) { state.calls.remove(at: index) }
    }
  }

  /// Forgets everything: the connection is gone.
  func close() {
    let armed = state.withLock { state -> Scheduled<Void>? in
      let armed = state.armed?.scheduled
      state = State(isClosed: true)
      return armed
    }
    armed?.cancel()
  }

  /// Notes that the loop is to wake up at `deadline`, unless it does so early enough already.
  private static func claimArming(_ state: inout State, _ deadline: NIODeadline) -> Bool {
    if let armed = state.armed, armed.deadline <= deadline { return false }
    // A later one that is armed already stays: it wakes up and finds what is due then.
    state.armed = (deadline, nil)
    return true
  }

  private func arm(_ deadline: NIODeadline) {
    let scheduled = eventLoop.scheduleTask(deadline: deadline) { [weak self] () -> Void in self?.wake(deadline) }
    let isStale = state.withLock { state in
      guard !state.isClosed, state.armed?.deadline == deadline else { return state.isClosed }
      state.armed = (deadline, scheduled)
      return false
    }
    if isStale { scheduled.cancel() }
  }

  private func wake(_ armedFor: NIODeadline) {
    let now = NIODeadline.now()
    let (due, next) = state.withLock { state -> ([Call], NIODeadline?) in
      let due = state.calls.filter { $0.deadline <= now }
      state.calls.removeAll { $0.deadline <= now }
      if state.armed?.deadline == armedFor { state.armed = nil }
      guard let next = state.calls.map(\.deadline).min(), Self.claimArming(&state, next) else { return (due, nil) }
      return (due, next)
    }
    if let next { arm(next) }
    for call in due { call.body() }
  }
}

/// One timer, for its owner to cancel.
struct TransportTimer: ScheduledCall {
  let timers: TransportTimers
  let id: UInt64

  func cancel() { timers.cancel(id) }
}
