package import MessageFormat

/// Reading messages.
extension MailStore {
  /// Shared by all that ask for it, and current: what is published is in it.
  package func index(of mailbox: MailboxID) async throws(StoreError) -> MailboxIndex {
    if let known = publication.indexes.index(of: mailbox) { return known }
    publication.indexes.beginLoading(mailbox)
    do throws(StoreError) {
      let index = try await read { (snapshot) throws(StoreError) in try snapshot.index(of: mailbox) }
      return publication.indexes.endLoading(mailbox, index) ?? index
    } catch {
      _ = publication.indexes.endLoading(mailbox, nil)
      throw error
    }
  }

  /// The entries that exist among `uids`, in UID order. Ask for some hundreds at a time.
  package func entries(in mailbox: MailboxID, uids: [UID]) async throws(StoreError) -> [MessageEntry] {
    guard !uids.isEmpty else { return [] }
    return try await read { (snapshot) throws(StoreError) in try snapshot.entries(in: mailbox, uids: uids) }
  }

  /// As `entries`, with the structures of the bodies.
  package func describedEntries(in mailbox: MailboxID, uids: [UID]) async throws(StoreError) -> DescribedEntries {
    guard !uids.isEmpty else { return DescribedEntries() }
    return try await read { (snapshot) throws(StoreError) in try snapshot.describedEntries(in: mailbox, uids: uids) }
  }

  /// The structures of the bodies, in the order asked.
  package func structures(of contents: [ContentReference]) async throws(StoreError) -> [MessageStructure] {
    guard !contents.isEmpty else { return [] }
    return try await read { (snapshot) throws(StoreError) in try snapshot.structures(of: contents) }
  }

  /// Reads bytes of what the client sees (prefix, then body); the range is clamped to the message's size.
  package func read(_ content: ContentReference, range: Range<Int>) async throws(StoreError) -> [UInt8] {
    try await read([(content, range)])[0]
  }

  /// Several reads for the price of one turn of a reader. The caller bounds their sum.
  package func read(_ pieces: [(content: ContentReference, range: Range<Int>)]) async throws(StoreError) -> [[UInt8]] {
    try await engine.read(pieces)
  }

  /// Runs of UIDs expunged after `modSequence`, in order; with UIDs that were never given left out.  RFC 7162 §3.2.
  package func expunged(in mailbox: MailboxID, after modSequence: ModSequence) async throws(StoreError)
    -> [ClosedRange<UInt32>]
  {
    try await read { (snapshot) throws(StoreError) in try snapshot.expunged(in: mailbox, after: modSequence) }
      .sorted { $0.lowerBound < $1.lowerBound }
  }

  /// How often each content is in a mailbox.
  func contents(of mailbox: MailboxID) async throws(StoreError) -> [ContentKey: Int] {
    try await read { (snapshot) throws(StoreError) in try snapshot.contents(of: mailbox) }
  }

  /// Takes the right to call messages from `firstRecent` on recent; the next caller gets none of these.  RFC 3501
  /// §2.3.2. Only for a mailbox whose index has been asked for.
  package func claimRecent(in mailbox: MailboxID) -> UID { publication.indexes.claimRecent(in: mailbox) }
}

/// Writing messages.
extension MailStore {
  package func stageBody(expectedSize: Int?) -> BodyStage { engine.stageBody(expectedSize: expectedSize) }

  /// All or none, in one commit.  RFC 3502.
  package func append(_ messages: [NewMessage], to mailbox: MailboxName, of account: AccountID) async throws(StoreError)
    -> AppendResult
  {
    var (weight, hasLarge) = (0, false)
    for message in messages {
      try await message.body.flushIfLarge()
      if message.body.isLarge { hasLarge = true } else { weight += message.body.size }
    }
    return try await write(weight: weight, scope: hasLarge ? .anything : .additions) { (transaction) throws(StoreError) in
      try transaction.append(messages, to: mailbox, of: account)
    }
  }

  /// One body to many recipients in one commit; one over quota fails alone. Results in the order of `recipients`.
  package func deliver(
    _ body: StagedBody, to recipients: [LocalDelivery], internalDate: DateTime
  ) async -> [Result<AppendResult, StoreError>] {
    do throws(StoreError) {
      return try await deliver(body, to: recipients, queued: [], internalDate: internalDate)
    } catch {
      return recipients.map { _ in .failure(error) }
    }
  }

  package func changeFlags(
    in mailbox: MailboxID, uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?
  ) async throws(StoreError) -> FlagResult {
    try await write(scope: .entriesAndQueue) { (transaction) throws(StoreError) in
      try transaction.changeFlags(in: mailbox, uids: uids, change, unchangedSince: unchangedSince)
    }
  }

  /// Removes those of `uids` (all where nil) that are there and, with `onlyDeleted`, have `\Deleted`. Returns them in
  /// order.
  package func expunge(in mailbox: MailboxID, uids: [UID]?, onlyDeleted: Bool) async throws(StoreError) -> [UID] {
    try await write(scope: .entriesAndQueue) { (transaction) throws(StoreError) in
      try transaction.expunge(in: mailbox, uids: uids, onlyDeleted: onlyDeleted)
    }
  }

  package func copy(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  {
    try await write(scope: .entriesAndQueue) { (transaction) throws(StoreError) in
      try transaction.copyEntries(uids, from: source, to: destination, of: account)
    }
  }

  /// As copy and expunge in one commit.  RFC 6851.
  package func move(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  {
    try await write(scope: .entriesAndQueue) { (transaction) throws(StoreError) in
      try transaction.moveEntries(uids, from: source, to: destination, of: account)
    }
  }
}
