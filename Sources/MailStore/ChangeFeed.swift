/// What happened in an account, in the order of its commits.
package enum Change: Sendable {
  /// New entries in ascending UID order.
  case appended(MailboxID, [FlagState])
  case flagged(MailboxID, [FlagState])
  case expunged(MailboxID, [UID], ModSequence)
  /// Mailboxes were created, renamed, deleted, or subscribed: their list is to be read anew.
  case mailboxList
  case mailboxDeleted(MailboxID)
  /// The subscriber was too slow and changes were dropped: read everything anew.
  case lagged
}

/// One session's view of an account's changes: bounded, ordered.
/// A change is in the queue of every subscriber before the call that made it returns.
package final class ChangeSubscription: Sendable {
  /// Takes all that has come since the last call. From the session's task.
  package func drain() -> [Change] { fatalError("skeleton") }
  package var isEmpty: Bool { fatalError("skeleton") }
  /// No more wake-ups. Also done when the subscription goes away.
  package func cancel() { fatalError("skeleton") }
}
