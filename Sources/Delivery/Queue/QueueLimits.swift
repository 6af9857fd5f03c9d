/// What the queue may take of the machine, and of other people's.
package struct QueueLimits: Sendable {
  /// Destinations that are worked on at once.
  package var destinations = 200
  /// Beside them, such as get nowhere: whoever has not heard from a server for `patience` leaves its place to others, so that
  /// no number of servers that say nothing keeps what lives from its turn. Beyond this, those that have waited longest for
  /// a session are put off.
  package var slowDestinations = 300
  package var patience: Duration = .seconds(10)
  /// Of these, such as could not be reached the last time, at the start.
  package var unreachableDestinations = 100
  /// Of the first, kept for what has come due within `recently`: a backlog of which nobody knows yet how much of it is dead
  /// must not keep a message that was just written.
  package var recentDestinations = 40
  package var recently: Duration = .seconds(5)
  /// Of these, kept for what has come due within `justNow`: nor must all that was written a few seconds ago.
  package var newestDestinations = 20
  package var justNow: Duration = .seconds(1)
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
}
