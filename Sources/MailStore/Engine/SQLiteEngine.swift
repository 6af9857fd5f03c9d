import MessageFormat
import SQLite

/// Keeps everything but bodies in SQLite (`store.db`), bodies in packs and files of their own, and a search index beside
/// them. Writes run on one thread, in groups; reads on a small pool.
package final class SQLiteEngine: StorageEngine {
  let writer: Writer
  private let readers: WorkerPool<Database>
  let filePool: WorkerPool<Void>
  private let checkpointer: Checkpointer
  let bodies: BodyReader
  private let staging: StagingArea
  private let search: SearchIndex
  private let lock: StoreLock
  private let isClosed = ClosedFlag()
  let layout: StoreLayout
  let files: FileAccess
  private let options: StoreOptions
  /// Whoever removes packs or large files asks here first.
  let holds = FileHolds()
  let compactionTurn = CompactionTurn()

  private init(_ parts: OpenedStore, _ options: StoreOptions) {
    self.options = options
    layout = parts.layout
    files = parts.files
    writer = parts.writer
    readers = parts.readers
    filePool = parts.filePool
    checkpointer = parts.checkpointer
    bodies = parts.bodies
    staging = parts.staging
    search = parts.search
    lock = parts.lock
  }

  /// Opens or makes the store in `directory`, takes its lock, and puts right what a crash left behind.
  package static func open(
    at directory: String, options: StoreOptions, publication: Publication
  ) async throws(StoreError) -> SQLiteEngine {
    let filePool = WorkerPool<Void>(threads: 4) { () }
    let result: Result<OpenedStore, StoreError> = await filePool.run { _ in
      do throws(StoreError) {
        return .success(
          try OpenedStore(at: directory, options: options, filePool: filePool, publication: publication))
      } catch {
        return .failure(error)
      }
    }
    do throws(StoreError) {
      return SQLiteEngine(try result.get(), options)
    } catch {
      filePool.requestStop()
      throw error
    }
  }

  package func close() async {
    isClosed.set()
    await compactionTurn.end()
    // The writer last: then nobody is in the way when it puts the whole log into the database and removes it.
    await search.close()
    await readers.stop()
    await checkpointer.stop()
    await writer.close()
    await filePool.stop()
    lock.release()
  }

  /// The threads end by themselves, after what is queued; the lock goes with the process's last hold on it.
  package func requestClose() {
    writer.requestClose()
    search.requestClose()
    readers.requestStop()
    filePool.requestStop()
    checkpointer.requestStop()
  }

  package var directory: Directory { writer.directory }

  // MARK: Reading and writing

  package func read<Value: Sendable>(
    _ query: @escaping @Sendable (any StoreSnapshot) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await reading { (database) throws(StoreError) in try query(database) }
  }

  func reading<Value: Sendable>(
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

  package func write<Value: Sendable>(
    weight: Int, scope: WriteScope,
    _ change: @escaping @Sendable (any StoreTransaction) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    try await writer.run(weight: weight, scope: scope) { (context) throws(StoreError) in try change(context) }
  }

  // MARK: Bodies

  package func stageBody(expectedSize: Int?) -> BodyStage { BodyStage(area: staging, expectedSize: expectedSize) }

  package func read(
    _ pieces: [(content: ContentReference, range: Range<Int>)]
  ) async throws(StoreError) -> [[UInt8]] {
    let bodies = bodies
    return try await reading { (database) throws(StoreError) in
      var result: [[UInt8]] = []
      result.reserveCapacity(pieces.count)
      for piece in pieces { result.append(try bodies.read(piece.content, range: piece.range, database: database)) }
      return result
    }
  }

  /// A backup that is being made, or a crash before the end, leaves them to the next start.
  package func discard(_ unused: [UnusedBody]) async throws(StoreError) {
    guard !unused.isEmpty else { return }
    let (layout, files, holds) = (layout, files, holds)
    let result: Result<Bool, StoreError> = await filePool.run { _ in
      guard holds.ifNone({ for body in unused { files.remove(layout.large(body.id)) } }) else {
        return .success(false)
      }
      do throws(FileError) {
        try files.flushDirectory(layout.large)
        return .success(true)
      } catch {
        return .failure(error.storeError)
      }
    }
    guard try result.get() else { return }
    try await writer.run { (context) throws(StoreError) in
      for body in unused { try context.database.change("DELETE FROM purged_large WHERE body = ?", .integer(body.id)) }
    }
  }

  // MARK: Searching

  package func candidates(for filter: SearchFilter, in mailbox: MailboxID) async throws(StoreError) -> [UID]? {
    let search = search
    return try await reading { (database) throws(StoreError) in
      try search.candidates(for: filter, in: mailbox, database)
    }
  }

  package func searchIndexState() async throws(StoreError) -> SearchIndexState {
    let search = search
    await search.hasStarted()
    return try await reading { (database) throws(StoreError) in try search.state(database) }
  }

  package func rebuildSearchIndex() { search.rebuild() }

  package func searchIndexHasCaughtUp(_ progress: @escaping ProgressHandler) async {
    await search.hasCaughtUp(progress)
  }

  // MARK: The whole

  package func statistics() async throws(StoreError) -> StoreStatistics {
    let (layout, files) = (layout, files)
    return try await reading { (database) throws(StoreError) in try StoreStatistics(database, layout, files) }
  }

  package func verify(
    _ verification: VerificationOptions, progress: @escaping ProgressHandler
  ) async throws(StoreError) -> VerificationReport {
    try await VerificationTask(layout: layout, files: files, options: verification).run(progress)
  }

  package func backUp(
    to directory: String, options backup: BackupOptions, progress: @escaping ProgressHandler
  ) async throws(StoreError) -> BackupReport {
    let (layout, files, holds, time) = (layout, files, holds, options.clock.now().seconds)
    return try await onOwnThread(progress) { (isCancelled, progress) throws(StoreError) in
      var backup = try StoreBackup(
        source: layout, files: files, holds: holds, to: directory, options: backup, time: time,
        isCancelled: isCancelled, progress: progress)
      return try backup.run()
    }
  }
}
