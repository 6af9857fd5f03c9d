import Logging
import MessageFormat
import SQLite
import Synchronization

/// The lock that keeps a second process from the store.
final class StoreLock: Sendable {
  private let file: Mutex<File?>

  init(_ path: String, files: FileAccess) throws(StoreError) {
    let opened: File
    do throws(FileError) { opened = try File(path, .writing, access: files) } catch { throw error.storeError }
    guard opened.lock() else { throw .locked }
    file = Mutex(opened)
  }

  func release() { file.withLock { $0 = nil } }
}

/// Whether `close` has been called.
final class ClosedFlag: Sendable {
  private let flag = Atomic(false)
  var value: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}

/// The parts of an open store, made in the order that puts right what a crash left behind.
struct OpenedStore {
  let layout: StoreLayout
  let files: FileAccess
  let lock: StoreLock
  let writer: Writer
  let readers: WorkerPool<Database>
  let filePool: WorkerPool<Void>
  let checkpointer: Checkpointer
  let bodies: BodyReader
  let staging: StagingArea
  let search: SearchIndex

  private static let readerThreads = 4

  /// Blocks.
  init(at directory: String, options: StoreOptions, filePool: WorkerPool<Void>, publication: Publication)
    throws(StoreError)
  {
    layout = StoreLayout(root: directory)
    files = FileAccess(fault: options.fault)
    do throws(FileError) { try layout.prepare(files) } catch { throw error.storeError }
    lock = try StoreLock(layout.lock, files: files)

    guard !files.exists(layout.placing.root) else {
      throw .corrupt("a restore did not come to its end: run martlet store restore again")
    }
    let database = try Self.openDatabase(layout, files, options.logger)
    try TailReplay(layout: layout, files: files, logger: options.logger, state: try StoreState(database)).run(database)
    let state = try StoreState(database)
    let packs = try Recovery(layout: layout, files: files, logger: options.logger)
      .run(
        database, nextID: state.nextID, stamp: state.stamp, packSize: Int64(options.packSize))
    let context = WriteContext(
      database: database, packs: packs, layout: layout, files: files, clock: options.clock,
      directory: try Directory(reading: database), nextID: state.nextID,
      writtenPack: state.pack)
    if !state.packsTellAll { try context.beginHistory() }

    self.filePool = filePool
    checkpointer = Checkpointer(layout: layout, files: files, logger: options.logger)
    bodies = BodyReader(layout: layout, access: files)
    staging = StagingArea(
      layout: layout, files: files, pool: filePool, budget: options.stagingBudget,
      threshold: options.largeBodyThreshold, threadKey: state.threadKey)
    search = SearchIndex(
      indexer: SearchIndexer(
        layout: layout, files: files, bodies: bodies, logger: options.logger,
        storeKey: Int64(bitPattern: state.threadKey), nextID: state.nextID, delay: options.searchIndexDelay,
        metrics: options.metrics),
      layout: layout, files: files, logger: options.logger)
    readers = WorkerPool(threads: Self.readerThreads) { [layout, files] in
      try? files.openDatabase(layout.database, .reading)
    }
    writer = Writer(
      context: context, layout: layout, files: files, publication: publication, search: search,
      checkpointer: checkpointer, metrics: StoreMetrics(options.metrics), logger: options.logger)
    writer.start()
    search.start()
  }

  private static func openDatabase(_ layout: StoreLayout, _ files: FileAccess, _ logger: Logger) throws(StoreError)
    -> Database
  {
    // Never an empty index over packs that hold mail.
    let hasPacks = !((try? files.names(in: layout.packs)) ?? []).isEmpty
    let isNew = !files.exists(layout.database)
    if isNew {
      if hasPacks { throw .corrupt("store.db is missing, but there are packs") }
      // SQLite would let others read it.
      do throws(FileError) { _ = try File(layout.database, .writing, access: files) } catch { throw error.storeError }
    }
    let database: Database
    let version: Int
    do throws(SQLiteError) {
      database = try files.openDatabase(layout.database, .writing)
      version = try database.schemaVersion()
    } catch {
      throw StoreError(error)
    }
    guard version > 0 || !hasPacks else { throw .corrupt("store.db is empty, but there are packs") }
    try StoreMigration(layout: layout, files: files, logger: logger).run(database, isNew: isNew)
    if isNew {
      do throws(FileError) { try files.flushDirectory(layout.root) } catch { throw error.storeError }
    }
    return database
  }
}

/// The counters and marks of `store.db`.
struct StoreState {
  var nextID: Int64 = 1
  var threadKey: UInt64 = 0
  var pack: (segment: Int64, end: Int64) = (0, 0)
  var stamp: UInt64 = 0
  var packsTellAll = false

  init(_ database: Database) throws(StoreError) {
    nextID = try database.one("SELECT value FROM state WHERE name = 'next_id'") { $0.integer(0) } ?? 1
    let key = try database.one("SELECT value FROM state WHERE name = 'thread_key'") { $0.integer(0) } ?? 0
    threadKey = UInt64(bitPattern: key)
    pack.segment = try database.one("SELECT value FROM state WHERE name = 'pack'") { $0.integer(0) } ?? 0
    pack.end = try database.one("SELECT value FROM state WHERE name = 'pack_end'") { $0.integer(0) } ?? 0
    let stamp = try database.one("SELECT value FROM state WHERE name = 'pack_stamp'") { $0.integer(0) } ?? 0
    self.stamp = UInt64(bitPattern: stamp)
    packsTellAll = try database.one("SELECT value FROM state WHERE name = 'packs_tell_all'") { $0.integer(0) } == 1
  }
}
