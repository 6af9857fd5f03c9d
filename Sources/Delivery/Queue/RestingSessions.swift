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
    var alarm: Task<Void, Never>
  }

  private let most: Int
  private let longest: Duration
  private var places: [String: [Int: Place]] = [:]
  private var count = 0
  private var nextKey = 0
  private var hasEnded = false

  init(_ limits: QueueLimits) {
    most = limits.restingSessions
    longest = limits.rest
  }

  /// One that had its last message a moment ago. It may turn out to be over.
  func take(for place: String) -> RestedSession? {
    guard let key = places[place]?.keys.max(), let found = remove(key, of: place) else { return nil }
    found.alarm.cancel()
    return found.session
  }

  /// It leaves by itself when nothing comes.
  func rest(_ session: RestedSession, for name: String) async {
    guard !hasEnded, !Task.isCancelled, count < most, session.open.session.takesAnother else {
      return await leave(session)
    }
    let key = nextKey
    nextKey += 1
    count += 1
    let alarm = Task { [longest] in
      guard (try? await Task.sleep(for: longest)) != nil else { return }
      if let place = remove(key, of: name) { await leave(place.session) }
    }
    places[name, default: [:]][key] = Place(session: session, alarm: alarm)
  }

  /// All leave, and whoever comes later.
  func end() async {
    hasEnded = true
    let left = places.values.flatMap(\.values)
    (places, count) = ([:], 0)
    await withDiscardingTaskGroup { group in
      for place in left {
        place.alarm.cancel()
        group.addTask { await self.leave(place.session) }
      }
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
