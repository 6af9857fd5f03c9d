/// What the queue may take of the machine, and of other people's.
package struct QueueLimits: Sendable {
  /// Destinations that are worked on at once.
  package var destinations = 200
  /// Of these, such as could not be reached the last time: what is dead must not keep what lives from its turn.
  package var unreachableDestinations = 100
  /// Sessions with one destination.
  package var sessionsWithDestination = 10
  /// Messages of one destination in memory, without their bodies.
  package var messagesOfDestination = 100
  /// Messages over one session. Some servers count.
  package var messagesOfSession = 500
  package init() {}
}
