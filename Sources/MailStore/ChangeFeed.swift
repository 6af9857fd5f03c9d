import Synchronization

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
  private struct State {
    var queue: [Change] = []
    /// Entries named in the queue.
    var weight = 0
    var isLagged = false
    var isCancelled = false
  }

  /// Beyond either of these a subscriber lags.
  static let changeLimit = 1_024
  static let entryLimit = 65_536

  private let feed: ChangeFeed
  let account: AccountID
  private let wake: @Sendable () -> Void
  private let state = Mutex(State())

  init(feed: ChangeFeed, account: AccountID, wake: @escaping @Sendable () -> Void) {
    self.feed = feed
    self.account = account
    self.wake = wake
  }

  deinit { feed.remove(ObjectIdentifier(self), of: account) }

  /// Takes all that has come since the last call. From the session's task.
  package func drain() -> [Change] {
    state.withLock { state in
      guard !state.queue.isEmpty else { return [] }
      state.weight = 0
      state.isLagged = false
      defer { state.queue = [] }
      return state.queue
    }
  }

  package var isEmpty: Bool { state.withLock { $0.queue.isEmpty } }

  /// No more wake-ups. Also done when the subscription goes away.
  package func cancel() {
    state.withLock { state in
      state.isCancelled = true
      state.queue = []
    }
    feed.remove(ObjectIdentifier(self), of: account)
  }

  fileprivate func deliver(_ changes: [Change], weight: Int) {
    let mustWake = state.withLock { state in
      guard !state.isCancelled, !state.isLagged else { return false }
      let wasEmpty = state.queue.isEmpty
      if state.queue.count + changes.count > Self.changeLimit || state.weight + weight > Self.entryLimit {
        state.queue = [.lagged]
        state.isLagged = true
      } else {
        state.queue += changes
        state.weight += weight
      }
      return wasEmpty
    }
    if mustWake { wake() }
  }
}

/// Hands changes to the subscribers of each account, and wakes whoever works off the queue.
final class ChangeFeed: Sendable {
  private struct Subscriber {
    weak var subscription: ChangeSubscription?
  }

  /// A closure that stood in the lock by itself would be wrapped anew by each look at it, and call through all its
  /// wrappers until there is no stack left.
  private struct QueueWatcher {
    let wake: @Sendable () -> Void
  }

  private let subscribers = Mutex<[AccountID: [ObjectIdentifier: Subscriber]]>([:])
  private let queueWatcher = Mutex<QueueWatcher?>(nil)

  func subscribe(to account: AccountID, wake: @escaping @Sendable () -> Void) -> ChangeSubscription {
    let subscription = ChangeSubscription(feed: self, account: account, wake: wake)
    let subscriber = Subscriber(subscription: subscription)
    subscribers.withLock { $0[account, default: [:]][ObjectIdentifier(subscription)] = subscriber }
    return subscription
  }

  fileprivate func remove(_ subscription: ObjectIdentifier, of account: AccountID) {
    subscribers.withLock { subscribers in
      subscribers[account]?[subscription] = nil
      if subscribers[account]?.isEmpty == true { subscribers[account] = nil }
    }
  }

  /// There is one: the next takes the place of the last.
  func watchQueue(_ wake: @escaping @Sendable () -> Void) {
    queueWatcher.withLock { $0 = QueueWatcher(wake: wake) }
  }

  func publishQueueChange() { queueWatcher.withLock { $0 }?.wake() }

  /// Changes of one account, in order. Called by the thread that commits, before it answers those who made them.
  func publish(_ changes: [Change], of account: AccountID) {
    // References are taken out of the lock before they are dropped: the last one ends the subscription, which locks.
    let receivers = subscribers.withLock { $0[account]?.values.compactMap(\.subscription) }
    guard let receivers, !receivers.isEmpty else { return }
    let weight = changes.reduce(0) { $0 + $1.weight }
    for receiver in receivers { receiver.deliver(changes, weight: weight) }
  }
}

extension Change {
  /// How many entries it names.
  var weight: Int {
    switch self {
    case .appended(_, let states), .flagged(_, let states): states.count
    case .expunged(_, let uids, _): uids.count
    case .mailboxList, .mailboxDeleted, .lagged: 0
    }
  }
}
