import MessageFormat

/// The one store. Invariants: commit, then publish, then return; a body is flushed before the commit that names it;
/// UIDs are never reused; counters are exact.
///
/// It is the same whatever ``StorageEngine`` keeps the mail; nothing here blocks the caller's thread.
package final class MailStore: Sendable {
  package let engine: any StorageEngine
  let publication: Publication
  let clock: WallClock
  /// How long what was deleted can be restored.
  let keepDeleted: Duration

  /// - Parameter publication: the one that the engine was made with.
  package init(engine: any StorageEngine, publication: Publication, options: StoreOptions) {
    self.engine = engine
    self.publication = publication
    clock = options.clock
    keepDeleted = options.keepDeleted
  }

  deinit { engine.requestClose() }

  /// Opens or makes the store in `directory`, takes its lock, and puts right what a crash left behind.
  package static func open(at directory: String, options: StoreOptions = StoreOptions()) async throws(StoreError)
    -> MailStore
  {
    let publication = Publication(indexBudget: options.indexBudget)
    let engine = try await SQLiteEngine.open(at: directory, options: options, publication: publication)
    return MailStore(engine: engine, publication: publication, options: options)
  }

  /// Commits what is queued and releases the lock.
  package func close() async { await engine.close() }

  func read<Value: Sendable>(
    _ query: @escaping @Sendable (any StoreSnapshot) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await engine.read(query)
  }

  /// The result comes back when it is durable and published.
  /// - Parameter weight: octets of bodies that it stores.
  func write<Value: Sendable>(
    weight: Int = 0, scope: WriteScope = .anything,
    _ change: @escaping @Sendable (any StoreTransaction) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await engine.write(weight: weight, scope: scope, change)
  }

  // MARK: Changes

  /// `wake` is called, from any thread, when the queue turns from empty to not empty.
  package func subscribe(to account: AccountID, wake: @escaping @Sendable () -> Void) -> ChangeSubscription {
    publication.feed.subscribe(to: account, wake: wake)
  }

  // MARK: The whole

  /// What the store holds, and the room it takes.
  package func statistics() async throws(StoreError) -> StoreStatistics { try await engine.statistics() }

  /// Looks at everything, while the store serves. Throws `closed` where the task is cancelled.
  /// - Parameter progress: told at least every ten seconds.
  package func verify(_ options: VerificationOptions, progress: @escaping ProgressHandler = { _ in })
    async throws(StoreError) -> VerificationReport
  {
    try await engine.verify(options, progress: progress)
  }

  /// Copies the store into `directory`, an absolute path, while it is in use. Where a backup is there already, only what
  /// is new is copied, and what is no longer named is removed.
  /// - Throws: `inputOutput` with the reason where the directory cannot be one for a backup, `deviceFull`, `corrupt`
  ///   where something is missing in the store, `closed` where the task is cancelled. The backup of before is then as good
  ///   as it was.
  package func backUp(
    to directory: String, options: BackupOptions = BackupOptions(), progress: @escaping ProgressHandler = { _ in }
  ) async throws(StoreError) -> BackupReport {
    try await engine.backUp(to: directory, options: options, progress: progress)
  }

  /// Gives back the room of what was deleted for good, while the store is in use. What is done of it when it is stopped,
  /// or crashes, stays done.
  /// - Parameter progress: by the octets of the packs in question.
  /// - Throws: `closed` where the task is cancelled or the store closed; `deviceFull` where there is no room to write
  ///   what is left of a pack; `inputOutput` where another one is at work.
  package func compact(
    _ options: CompactionOptions = CompactionOptions(), progress: @escaping ProgressHandler = { _ in }
  ) async throws(StoreError) -> CompactionReport {
    try await engine.compact(options, progress: progress)
  }
}
