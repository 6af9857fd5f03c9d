/// What sessions share of the store in memory, and how they learn of changes. An engine tells it of every commit before
/// it answers those who made it.
package final class Publication: Sendable {
  let indexes: IndexCache
  let feed = ChangeFeed()

  /// - Parameter indexBudget: memory for the indexes of selected mailboxes, in octets.
  package init(indexBudget: Int) { indexes = IndexCache(budget: indexBudget) }

  /// What one commit has changed.
  package struct Commit {
    /// In order.
    package var changes: [(account: AccountID, change: Change)] = []
    /// As they are now, all that `changes` names but the removed ones.
    package var mailboxes: [MailboxID: Mailbox] = [:]
    package var removedMailboxes: [MailboxID] = []
    /// Something has come into the queue, or is due earlier than it was.
    package var isQueueChanged = false
    package init() {}
  }

  package func publish(_ commit: Commit) {
    if !commit.changes.isEmpty || !commit.mailboxes.isEmpty || !commit.removedMailboxes.isEmpty {
      indexes.publish(commit.changes.map(\.change), mailboxes: commit.mailboxes, removed: commit.removedMailboxes)
    }
    var byAccount: [AccountID: [Change]] = [:]
    for (account, change) in commit.changes { byAccount[account, default: []].append(merging: change) }
    for (account, changes) in byAccount { feed.publish(changes, of: account) }
    if commit.isQueueChanged { feed.publishQueueChange() }
  }

  /// For each mailbox of which a session has claimed recent messages since the last call: the first that is still
  /// recent, to be kept with the next commit.  RFC 3501 §2.3.2.
  package func takeRecentClaims() -> [(mailbox: MailboxID, first: UID)] { indexes.takeClaims() }
}

extension Array where Element == Change {
  /// New messages of one mailbox that follow each other are one change.
  fileprivate mutating func append(merging change: Change) {
    if case .appended(let mailbox, let states) = change, case .appended(mailbox, let earlier) = last {
      self[count - 1] = .appended(mailbox, earlier + states)
    } else if case .mailboxList = change, case .mailboxList = last {
      return
    } else {
      append(change)
    }
  }
}
