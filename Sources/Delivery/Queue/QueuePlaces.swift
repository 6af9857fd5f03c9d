import MailStore
import MessageFormat
import SMTPClient
import Synchronization

/// Who is being worked on, and for whom else there is room. A destination that gets nowhere leaves its place to others
/// after a moment and goes on beside them; of these, too, there is a bounded number.
struct QueuePlaces {
  private struct Place {
    var pace: Pace
    /// It could not be reached the last time.
    var isUnreachable: Bool
  }

  private let limits: QueueLimits
  private let clock: SteadyClock
  private var places: [String: Place] = [:]

  init(_ limits: QueueLimits, _ clock: SteadyClock) {
    self.limits = limits
    self.clock = clock
  }

  var names: Set<String> { Set(places.keys) }

  func contains(_ name: String) -> Bool { places[name] != nil }

  /// - Returns: what the one who works tells of its getting on.
  mutating func take(_ name: String, isReachable: Bool) -> Pace {
    let pace = Pace(clock)
    places[name] = Place(pace: pace, isUnreachable: !isReachable)
    return pace
  }

  mutating func leave(_ name: String) { places[name] = nil }

  // MARK: Room

  func room(at now: Timestamp) -> QueueRoom {
    let room = limits.destinations - quickCount
    let unreachable = places.values.count { $0.isUnreachable && !$0.pace.state.hasMoved }
    return QueueRoom(
      fresh: [
        (now.advanced(by: .zero - limits.justNow), room),
        (now.advanced(by: .zero - limits.recently), room - limits.newestDestinations),
      ],
      reachable: room - limits.recentDestinations,
      unreachable: max(0, min(limits.unreachableDestinations - unreachable, limits.slowDestinations - slowCount)))
  }

  /// Those of whom it is not known that they are slow, and of the others as many as are too many.
  private var quickCount: Int {
    places.count - min(limits.slowDestinations, slowCount)
  }

  private var slowCount: Int { places.values.count { isSlow($0) } }

  private func isSlow(_ place: Place) -> Bool {
    let (last, hasMoved) = place.pace.state
    return place.isUnreachable && !hasMoved || clock.now() - last >= limits.patience
  }

  /// Those that get nowhere, the longest first, where there are too many of them, and by how many.
  var excess: (count: Int, slowest: [String]) {
    let slow = places.filter { isSlow($0.value) }
    guard slow.count > limits.slowDestinations else { return (0, []) }
    let slowest = slow.sorted { $0.value.pace.state.last < $1.value.pace.state.last }.map(\.key)
    return (slow.count - limits.slowDestinations, slowest)
  }

  /// Until there may be more room than now; nil where there is room.
  var nextRoom: Duration? {
    guard limits.destinations - quickCount <= limits.recentDestinations else { return nil }
    let now = clock.now()
    return places.values.lazy.filter { !isSlow($0) }.map { $0.pace.state.last + limits.patience - now }.min()
  }
}

/// When a destination last got on: a server has answered about a message.
final class Pace: Sendable {
  private let clock: SteadyClock
  private let moment: Mutex<(last: Duration, hasMoved: Bool)>

  init(_ clock: SteadyClock) {
    self.clock = clock
    moment = Mutex((clock.now(), false))
  }

  func moved() {
    let now = clock.now()
    moment.withLock { $0 = (now, true) }
  }

  var state: (last: Duration, hasMoved: Bool) { moment.withLock { $0 } }
}
