package import MessageFormat

/// Deleted messages: listed, restored, and gone for good.
extension MailStore {
  /// What can be restored, the last deleted first, at most `limit`.
  /// - Parameters:
  ///   - mailbox: only what was deleted from a mailbox that had the name then or has it now.
  ///   - since: only what was deleted then or later.
  package func deletedMessages(
    of account: AccountID, in mailbox: MailboxName? = nil, since: Timestamp? = nil, limit: Int
  ) async throws(StoreError) -> [ListedMessage] {
    try await read { (snapshot) throws(StoreError) in
      guard try snapshot.accountExists(account) else { throw .accountNotFound }
      return try snapshot.deletedMessages(of: account, in: mailbox, since: since, limit: limit)
    }
  }

  /// The newest messages of a mailbox, at most `limit`.
  package func messages(of account: AccountID, in name: MailboxName, limit: Int) async throws(StoreError)
    -> [ListedMessage]
  {
    try await read { (snapshot) throws(StoreError) in
      guard let mailbox = try snapshot.mailbox(named: name, of: account) else { throw .mailboxNotFound }
      return try snapshot.messages(in: mailbox, limit: limit)
    }
  }

  /// Brings deleted messages back beside what is there, with their flags less `\Deleted` and new UIDs: each into the
  /// mailbox it was in, made again if it is gone, or all into `destination`. Counts towards the quota, and is not
  /// refused for it. Returns those that are back; what is no longer among the deleted is left out.
  /// - Parameter progress: told after each of the commits, of which a long list needs several.
  package func restore(
    _ selection: DeletedSelection, of account: AccountID, into destination: MailboxName? = nil,
    progress: ProgressHandler = { _ in }
  ) async throws(StoreError) -> [RestoredMessage] {
    let keys = try await read { (snapshot) throws(StoreError) in
      guard try snapshot.accountExists(account) else { throw .accountNotFound }
      return try snapshot.deletedKeys(selection, of: account)
    }
    var restored: [RestoredMessage] = []
    var position = 0
    while position < keys.count {
      let piece = Array(keys[position..<min(position + Self.restoredAtOnce, keys.count)])
      restored += try await write { (transaction) throws(StoreError) in
        try transaction.restore(piece, of: account, into: destination)
      }
      position += piece.count
      progress(
        OperationProgress(phase: "restoring", done: Int64(position), total: Int64(keys.count), unit: .messages))
    }
    return restored
  }

  private static let restoredAtOnce = 500

  /// Takes away for good what was deleted longer ago than it is kept. In small steps, between which others write; ends
  /// early where the task is cancelled.
  package func purgeDeleted() async throws(StoreError) -> PurgeSummary {
    let kept = keepDeleted.components
    let limit = Timestamp(
      microseconds: clock.now().microseconds - (kept.seconds * 1_000_000 + kept.attoseconds / 1_000_000_000_000))
    var summary = PurgeSummary()
    let accounts = try await read { (snapshot) throws(StoreError) in try snapshot.accountsToPurge(upTo: limit) }
    for account in accounts {
      while !Task.isCancelled {
        let piece = try await write { (transaction) throws(StoreError) in
          try transaction.purge(upTo: limit, of: account)
        }
        if piece.isLast { break }
        summary.entries += piece.entries
        summary.messages += piece.messages
        summary.octets += piece.octets
        if !piece.unused.isEmpty { try await engine.discard(piece.unused) }
      }
    }
    return summary
  }
}
