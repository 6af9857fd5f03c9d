/// What the queue may take of the machine, and of other people's.
package struct QueueLimits: Sendable {
  /// Destinations that are worked on at once.
  package var destinations = 200
  /// Of these, such as could not be reached the last time: what is dead must not keep what lives from its turn.
  package var unreachableDestinations = 100
  /// Of these, kept for what has come due within `recently`: a backlog of which nobody knows yet how much of it is dead
  /// must not keep a message that was just written.
  package var recentDestinations = 40
  package var recently: Duration = .seconds(5)
  /// Sessions with one destination.
  package var sessionsWithDestination = 10
  /// Messages of one destination in memory, without their bodies.
  package var messagesOfDestination = 100
  /// Messages over one session. Some servers count.
  package var messagesOfSession = 500
  /// Sessions that wait for the next message of their destination.
  package var restingSessions = 100
  /// How long they do. Other people's servers have to keep them as well.
  package var rest: Duration = .seconds(2)
  /// However often there was a next message: by then its destination may have moved.
  package var oldestSession: Duration = .seconds(300)
  package init() {}

  /// Where one server takes everything: ten sessions with it, as with any other, whatever the number of domains.
  package static var smarthost: QueueLimits {
    var limits = QueueLimits()
    limits.destinations = 5
    limits.unreachableDestinations = 3
    limits.recentDestinations = 1
    limits.sessionsWithDestination = 2
    limits.restingSessions = 10
    return limits
  }
}
