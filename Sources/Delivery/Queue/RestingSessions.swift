import SMTPClient

/// A session that has nothing to send at the moment.
struct RestedSession: Sendable {
  var open: OpenSession
  /// Where it was found, for what comes after it.
  var walk: any HostWalk
  /// Messages that it has had.
  var count: Int
  /// When it was opened, by a clock that only goes forward.
  var opened: ContinuousClock.Instant
}

/// Sessions that wait a moment for the next message that goes the same way: where messages come one by one, questions to
/// DNS, greetings and handshakes cost more than the messages.
actor RestingSessions {
  private struct Place {
    var session: RestedSession
    var until: ContinuousClock.Instant
  }

  private let most: Int
  private let longest: Duration
  private var places: [String: [Int: Place]] = [:]
  private var count = 0
  private var nextKey = 0
  /// One for all: most sessions are taken again long before their time is over.
  private var sweeper: Task<Void, Never>?
  private var hasEnded = false

  init(_ limits: QueueLimits) {
    most = limits.restingSessions
    longest = limits.rest
  }

  /// One that had its last message a moment ago. It may turn out to be over.
  func take(for place: String) -> RestedSession? {
    guard let key = places[place]?.keys.max() else { return nil }
    return remove(key, of: place)?.session
  }

  /// It leaves by itself when nothing comes.
  func rest(_ session: RestedSession, for name: String) async {
    guard !hasEnded, !Task.isCancelled, count < most, session.open.session.takesAnother else {
      return await leave(session)
    }
    places[name, default: [:]][nextKey] = Place(session: session, until: .now + longest)
    nextKey += 1
    count += 1
    if sweeper == nil { sweeper = Task { await sweep() } }
  }

  /// Until nobody rests any more.
  private func sweep() async {
    while let first = places.values.lazy.flatMap(\.values).map(\.until).min() {
      guard (try? await Task.sleep(until: first)) != nil else { return }
      let now = ContinuousClock.now
      for (name, sessions) in places {
        for (key, place) in sessions where place.until <= now {
          if let place = remove(key, of: name) { Task { await leave(place.session) } }
        }
      }
    }
    sweeper = nil
  }

  /// All leave, and whoever comes later.
  func end() async {
    hasEnded = true
    sweeper?.cancel()
    let left = places.values.flatMap(\.values)
    (places, count) = ([:], 0)
    await withDiscardingTaskGroup { group in
      for place in left { group.addTask { await self.leave(place.session) } }
    }
  }

  private func remove(_ key: Int, of name: String) -> Place? {
    guard let place = places[name]?.removeValue(forKey: key) else { return nil }
    if places[name]?.isEmpty == true { places[name] = nil }
    count -= 1
    return place
  }

  private nonisolated func leave(_ session: RestedSession) async {
    var session = session.open.session
    await session.quit()
  }
}
