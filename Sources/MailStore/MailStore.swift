package import Logging
package import MessageFormat
package import Metrics
import SQLite

package struct StoreOptions: Sendable {
  package var clock: WallClock
  package var logger: Logger
  /// Where the store's metrics are kept.
  package var metrics: any MetricsFactory
  /// Sum of bodies that may be in memory on their way in, in octets.
  package var stagingBudget: Int
  /// Bodies above this go to a file of their own.
  package var largeBodyThreshold: Int
  /// Memory for the indexes of selected mailboxes, in octets.
  package var indexBudget: Int
  /// A pack beyond this is left for a new one, in octets.
  package var packSize: Int
  /// How long new messages wait for others to be put into the search index together with.
  package var searchIndexDelay: Duration
  /// How long what was deleted can be restored.
  package var keepDeleted: Duration
  /// Tests make file operations fail: the error number to fail with, or 0.
  package var fault: (@Sendable (FileOperation) -> Int32)?
  package init(
    clock: WallClock = .system, logger: Logger = Logger(label: "store"),
    metrics: any MetricsFactory = MetricsSystem.factory, stagingBudget: Int = 64 << 20,
    largeBodyThreshold: Int = 1 << 20, indexBudget: Int = 64 << 20, packSize: Int = 64 << 20,
    keepDeleted: Duration = .seconds(30 * 86_400), searchIndexDelay: Duration = .seconds(2),
    fault: (@Sendable (FileOperation) -> Int32)? = nil
  ) {
    self.clock = clock
    self.logger = logger
    self.metrics = metrics
    self.stagingBudget = stagingBudget
    self.largeBodyThreshold = largeBodyThreshold
    self.indexBudget = indexBudget
    self.packSize = packSize
    self.searchIndexDelay = searchIndexDelay
    self.keepDeleted = keepDeleted
    self.fault = fault
  }
}

/// The one store. Invariants: commit, then publish, then return; a body is flushed before the commit that names it;
/// UIDs are never reused; counters are exact.
///
/// Reads run on a small pool of threads, writes on one; nothing here blocks the caller's thread.
package final class MailStore: Sendable {
  private let writer: Writer
  private let readers: WorkerPool<Database>
  private let filePool: WorkerPool<Void>
  private let checkpointer: Checkpointer
  private let indexes: IndexCache
  let feed: ChangeFeed
  private let bodies: BodyReader
  private let staging: StagingArea
  private let search: SearchIndex
  private let lock: StoreLock
  private let isClosed = ClosedFlag()
  let layout: StoreLayout
  let files: FileAccess
  let clock: WallClock
  /// Whoever removes packs or large files asks here first.
  let holds = FileHolds()
  private let keepDeleted: Duration

  private init(_ parts: OpenedStore, _ options: StoreOptions) {
    keepDeleted = options.keepDeleted
    layout = parts.layout
    files = parts.files
    clock = parts.clock
    writer = parts.writer
    readers = parts.readers
    filePool = parts.filePool
    checkpointer = parts.checkpointer
    indexes = parts.indexes
    feed = parts.feed
    bodies = parts.bodies
    staging = parts.staging
    search = parts.search
    lock = parts.lock
  }

  deinit {
    // Without a close the threads end by themselves, after what is queued; the lock goes with the process's last hold
    // on it.
    writer.requestClose()
    search.requestClose()
    readers.requestStop()
    filePool.requestStop()
    checkpointer.requestStop()
  }

  /// Opens or makes the store in `directory`, takes its lock, and puts right what a crash left behind.
  package static func open(at directory: String, options: StoreOptions = StoreOptions()) async throws(StoreError)
    -> MailStore
  {
    let filePool = WorkerPool<Void>(threads: 4) { () }
    let result: Result<OpenedStore, StoreError> = await filePool.run { _ in
      do throws(StoreError) {
        return .success(try OpenedStore(at: directory, options: options, filePool: filePool))
      } catch {
        return .failure(error)
      }
    }
    do throws(StoreError) {
      return MailStore(try result.get(), options)
    } catch {
      filePool.requestStop()
      throw error
    }
  }

  /// Commits what is queued and releases the lock.
  package func close() async {
    isClosed.set()
    await writer.close()
    await search.close()
    await readers.stop()
    await checkpointer.stop()
    await filePool.stop()
    lock.release()
  }

  /// Runs on the writer's thread; the result comes back when it is durable and published.
  /// - Parameter weight: octets that it adds to the packs.
  func write<Value: Sendable>(
    weight: Int = 0, _ change: @escaping @Sendable (WriteContext) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await writer.run(weight: weight, change)
  }

  /// Runs on a reading thread, on one state of the database.
  func read<Value: Sendable>(
    _ query: @escaping @Sendable (Database) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let isClosed = isClosed
    let result: Result<Value, StoreError> = await readers.run { database in
      guard let database else { return .failure(isClosed.value ? .closed : .inputOutput("the index cannot be opened")) }
      do throws(StoreError) {
        return .success(try database.reading { () throws(StoreError) in try query(database) })
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  // MARK: Domains, accounts, aliases

  package var directory: Directory { writer.directory }

  package func addDomain(_ domain: Domain) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.addDomain(domain) }
  }

  /// Refuses while accounts or aliases are in it (`accountExists`, `addressExists`).
  package func removeDomain(_ domain: Domain) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.removeDomain(domain) }
  }

  /// Makes the account with INBOX, Drafts, Sent, Trash, Archive and Junk, all subscribed.
  package func addAccount(_ address: EmailAddress, secrets: [StoredSecret], quota: Quota) async throws(StoreError)
    -> AccountID
  {
    try await writer.run { (context) throws(StoreError) in
      try context.addAccount(address, secrets: secrets, quota: quota)
    }
  }

  package func removeAccount(_ id: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.removeAccount(id) }
  }

  package func setSecrets(_ secrets: [StoredSecret], of id: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.setSecrets(secrets, of: id) }
  }

  package func setAppPasswords(_ passwords: [AppPassword], of id: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.setAppPasswords(passwords, of: id) }
  }

  package func setQuota(_ quota: Quota, of id: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.setQuota(quota, of: id) }
  }

  package func quotaUsage(of id: AccountID) async throws(StoreError) -> QuotaUsage {
    try await read { (database) throws(StoreError) in try database.usage(of: id) }
  }

  /// Adds or replaces.
  package func setAlias(_ alias: Alias) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.setAlias(alias) }
  }

  package func removeAlias(_ pattern: Alias.Pattern) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.removeAlias(pattern) }
  }

  // MARK: Mailboxes

  /// All mailboxes of the account in name order, INBOX first.
  package func mailboxes(of account: AccountID) async throws(StoreError) -> [Mailbox] {
    let mailboxes = try await read { (database) throws(StoreError) in
      let mailboxes = try database.mailboxes(of: account)
      // Every account has INBOX.
      if mailboxes.isEmpty { throw .accountNotFound }
      return mailboxes
    }
    return mailboxes.map(indexes.showingRecent)
  }

  package func mailbox(named name: MailboxName, of account: AccountID) async throws(StoreError) -> Mailbox? {
    try await read { (database) throws(StoreError) in try database.mailbox(named: name, of: account) }
      .map(indexes.showingRecent)
  }

  /// Makes missing parents too, as real mailboxes.
  package func createMailbox(_ name: MailboxName, specialUse: SpecialUse?, of account: AccountID)
    async throws(StoreError)
    -> Mailbox
  {
    try await writer.run { (context) throws(StoreError) in
      try context.createMailbox(name, specialUse: specialUse, of: account)
    }
  }

  /// Renames with all inferiors. Renaming INBOX moves its messages to a new mailbox and leaves it empty.  RFC 9051
  /// §6.3.6.
  package func renameMailbox(_ name: MailboxName, to newName: MailboxName, of account: AccountID)
    async throws(StoreError)
  {
    try await writer.run { (context) throws(StoreError) in try context.renameMailbox(name, to: newName, of: account) }
  }

  /// A mailbox with children loses its messages and stays as a name that cannot be selected.
  package func deleteMailbox(_ name: MailboxName, of account: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.deleteMailbox(name, of: account) }
  }

  /// A subscription is to a name; the mailbox need not exist.  RFC 9051 §6.3.7.
  package func setSubscribed(_ subscribed: Bool, _ name: MailboxName, of account: AccountID) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in try context.setSubscribed(subscribed, name, of: account) }
  }

  /// Subscribed names in order, of mailboxes that exist or not.
  package func subscriptions(of account: AccountID) async throws(StoreError) -> [MailboxName] {
    try await read { (database) throws(StoreError) in try database.subscriptions(of: account) }
  }

  // MARK: Reading messages

  /// Shared by all that ask for it, and current: what is published is in it.
  package func index(of mailbox: MailboxID) async throws(StoreError) -> MailboxIndex {
    if let known = indexes.index(of: mailbox) { return known }
    indexes.beginLoading(mailbox)
    do throws(StoreError) {
      let index = try await read { (database) throws(StoreError) in try database.index(of: mailbox) }
      return indexes.endLoading(mailbox, index) ?? index
    } catch {
      _ = indexes.endLoading(mailbox, nil)
      throw error
    }
  }

  /// The entries that exist among `uids`, in UID order. Ask for some hundreds at a time.
  package func entries(in mailbox: MailboxID, uids: [UID]) async throws(StoreError) -> [MessageEntry] {
    guard !uids.isEmpty else { return [] }
    return try await read { (database) throws(StoreError) in try database.entries(in: mailbox, uids: uids) }
  }

  /// As `entries`, with the structures of the bodies.
  package func describedEntries(in mailbox: MailboxID, uids: [UID]) async throws(StoreError) -> DescribedEntries {
    guard !uids.isEmpty else { return DescribedEntries() }
    return try await read { (database) throws(StoreError) in try database.describedEntries(in: mailbox, uids: uids) }
  }

  /// The structures of the bodies, in the order asked.
  package func structures(of contents: [ContentReference]) async throws(StoreError) -> [MessageStructure] {
    guard !contents.isEmpty else { return [] }
    return try await read { (database) throws(StoreError) in try database.structures(of: contents) }
  }

  /// Reads bytes of what the client sees (prefix, then body); the range is clamped to the message's size.
  package func read(_ content: ContentReference, range: Range<Int>) async throws(StoreError) -> [UInt8] {
    let bodies = bodies
    return try await read { (database) throws(StoreError) in
      try bodies.read(content, range: range, database: database)
    }
  }

  /// Several reads for the price of one turn of a reader. The caller bounds their sum.
  package func read(_ pieces: [(content: ContentReference, range: Range<Int>)]) async throws(StoreError) -> [[UInt8]] {
    let bodies = bodies
    return try await read { (database) throws(StoreError) in
      var result: [[UInt8]] = []
      result.reserveCapacity(pieces.count)
      for piece in pieces { result.append(try bodies.read(piece.content, range: piece.range, database: database)) }
      return result
    }
  }

  /// Runs of UIDs expunged after `modSequence`, in order; with UIDs that were never given left out.  RFC 7162 §3.2.
  package func expunged(in mailbox: MailboxID, after modSequence: ModSequence) async throws(StoreError)
    -> [ClosedRange<UInt32>]
  {
    try await read { (database) throws(StoreError) in try database.expunged(in: mailbox, after: modSequence) }
      .sorted { $0.lowerBound < $1.lowerBound }
  }

  /// Takes the right to call messages from `firstRecent` on recent; the next caller gets none of these.  RFC 3501
  /// §2.3.2. Only for a mailbox whose index has been asked for.
  package func claimRecent(in mailbox: MailboxID) -> UID { indexes.claimRecent(in: mailbox) }

  // MARK: Searching

  /// The messages of a mailbox for which `filter` may be true, in UID order; nil where the search index can't tell and
  /// every message comes into question. None for which it is true is left out.
  package func candidates(for filter: SearchFilter, in mailbox: MailboxID) async throws(StoreError) -> [UID]? {
    let search = search
    return try await read { (database) throws(StoreError) in
      try search.candidates(for: filter, in: mailbox, database)
    }
  }

  package func searchIndexState() async throws(StoreError) -> SearchIndexState {
    let search = search
    await search.hasStarted()
    return try await read { (database) throws(StoreError) in try search.state(database) }
  }

  /// Throws the search index away and makes it anew. Searches find the same meanwhile.
  package func rebuildSearchIndex(progress: @escaping ProgressHandler = { _ in }) async {
    search.rebuild()
    await search.hasCaughtUp(progress)
  }

  /// Returns when every message that is committed now is in the search index, or can't be brought there.
  package func searchIndexHasCaughtUp() async { await search.hasCaughtUp { _ in } }

  // MARK: Writing messages

  package func stageBody(expectedSize: Int?) -> BodyStage { BodyStage(area: staging, expectedSize: expectedSize) }

  /// All or none, in one commit.  RFC 3502.
  package func append(_ messages: [NewMessage], to mailbox: MailboxName, of account: AccountID) async throws(StoreError)
    -> AppendResult
  {
    var weight = 0
    for message in messages {
      try await message.body.flushIfLarge()
      weight += message.body.isLarge ? 0 : message.body.size
    }
    return try await writer.run(weight: weight) { (context) throws(StoreError) in
      try context.append(messages, to: mailbox, of: account)
    }
  }

  /// One body to many recipients in one commit; one over quota fails alone. Results in the order of `recipients`.
  package func deliver(
    _ body: StagedBody, to recipients: [LocalDelivery], internalDate: DateTime
  ) async -> [Result<AppendResult, StoreError>] {
    do throws(StoreError) {
      try await body.flushIfLarge()
      return try await writer.run(weight: body.isLarge ? 0 : body.size) { (context) throws(StoreError) in
        try context.deliver(body, to: recipients, queued: [], date: internalDate)
      }
    } catch {
      return recipients.map { _ in .failure(error) }
    }
  }

  package func changeFlags(
    in mailbox: MailboxID, uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?
  ) async throws(StoreError) -> FlagResult {
    try await writer.run { (context) throws(StoreError) in
      try context.changeFlags(in: mailbox, uids: uids, change, unchangedSince: unchangedSince)
    }
  }

  /// Removes those of `uids` (all where nil) that are there and, with `onlyDeleted`, have `\Deleted`. Returns them in
  /// order.
  package func expunge(in mailbox: MailboxID, uids: [UID]?, onlyDeleted: Bool) async throws(StoreError) -> [UID] {
    try await writer.run { (context) throws(StoreError) in
      try context.expunge(in: mailbox, uids: uids, onlyDeleted: onlyDeleted)
    }
  }

  package func copy(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  {
    try await writer.run { (context) throws(StoreError) in
      try context.copyEntries(uids, from: source, to: destination, of: account)
    }
  }

  /// As copy and expunge in one commit.  RFC 6851.
  package func move(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  {
    try await writer.run { (context) throws(StoreError) in
      try context.moveEntries(uids, from: source, to: destination, of: account)
    }
  }

  // MARK: Deleted messages

  /// What can be restored, the last deleted first, at most `limit`.
  /// - Parameters:
  ///   - mailbox: only what was deleted from a mailbox that had the name then or has it now.
  ///   - since: only what was deleted then or later.
  package func deletedMessages(
    of account: AccountID, in mailbox: MailboxName? = nil, since: Timestamp? = nil, limit: Int
  ) async throws(StoreError) -> [ListedMessage] {
    try await read { (database) throws(StoreError) in
      guard try database.accountExists(account) else { throw .accountNotFound }
      return try database.deletedMessages(of: account, in: mailbox, since: since, limit: limit)
    }
  }

  /// The newest messages of a mailbox, at most `limit`.
  package func messages(of account: AccountID, in name: MailboxName, limit: Int) async throws(StoreError)
    -> [ListedMessage]
  {
    try await read { (database) throws(StoreError) in
      guard let mailbox = try database.mailbox(named: name, of: account) else { throw .mailboxNotFound }
      return try database.messages(in: mailbox, limit: limit)
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
    let keys = try await read { (database) throws(StoreError) in
      guard try database.accountExists(account) else { throw .accountNotFound }
      return try database.deletedKeys(selection, of: account)
    }
    var restored: [RestoredMessage] = []
    var position = 0
    while position < keys.count {
      let piece = Array(keys[position..<min(position + Self.restoredAtOnce, keys.count)])
      restored += try await writer.run { (context) throws(StoreError) in
        try context.restore(piece, of: account, into: destination)
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
    let limit = clock.now().microseconds - (kept.seconds * 1_000_000 + kept.attoseconds / 1_000_000_000_000)
    var summary = PurgeSummary()
    let accounts = try await read { (database) throws(StoreError) in try database.accountsToPurge(upTo: limit) }
    for account in accounts {
      while !Task.isCancelled {
        let piece = try await writer.run { (context) throws(StoreError) in
          try context.purge(upTo: limit, of: account)
        }
        if piece.isLast { break }
        summary.entries += piece.entries
        summary.messages += piece.messages
        summary.octets += piece.octets
        if !piece.large.isEmpty { try await removeLarge(piece.large) }
      }
    }
    return summary
  }

  /// A backup that is being made, or a crash before the end, leaves it to the next start.
  func removeLarge(_ bodies: [Int64]) async throws(StoreError) {
    let (layout, files, holds) = (layout, files, holds)
    let result: Result<Bool, StoreError> = await filePool.run { _ in
      guard holds.ifNone({ for body in bodies { files.remove(layout.large(body)) } }) else { return .success(false) }
      do throws(FileError) {
        try files.flushDirectory(layout.large)
        return .success(true)
      } catch {
        return .failure(error.storeError)
      }
    }
    guard try result.get() else { return }
    try await writer.run { (context) throws(StoreError) in
      for body in bodies { try context.database.change("DELETE FROM purged_large WHERE body = ?", .integer(body)) }
    }
  }

  /// What the store holds, and the room it takes.
  package func statistics() async throws(StoreError) -> StoreStatistics {
    let (layout, files) = (layout, files)
    return try await read { (database) throws(StoreError) in try StoreStatistics(database, layout, files) }
  }

  /// Groups committed, and how long they took.
  package var commitStatistics: CommitStatistics { writer.statistics }

  // MARK: Checking

  /// Looks at everything, while the store serves. Throws `closed` where the task is cancelled.
  /// - Parameter progress: told at least every ten seconds.
  package func verify(_ options: VerificationOptions, progress: @escaping ProgressHandler = { _ in })
    async throws(StoreError) -> VerificationReport
  {
    try await VerificationTask(layout: layout, files: files, options: options).run(progress)
  }

  // MARK: Changes

  /// `wake` is called, from any thread, when the queue turns from empty to not empty.
  package func subscribe(to account: AccountID, wake: @escaping @Sendable () -> Void) -> ChangeSubscription {
    feed.subscribe(to: account, wake: wake)
  }
}
