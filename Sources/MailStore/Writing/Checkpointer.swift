import Logging
import SQLite
import Synchronization

/// Moves pages from the write-ahead log into the database file, on a thread and a connection of its own, so that
/// commits do not wait for it.
///
/// After a flush of the log that failed, the system may call pages of it clean that never reached the disk, and commits
/// behind them would be lost with the power. Then nothing is committed or checkpointed before all of it was written
/// again.
final class Checkpointer: Sendable {
  private let pool: WorkerPool<Database>
  private let isRunning = Mutex(false)
  private let isLogDoubtful = Atomic(false)
  private let layout: StoreLayout
  private let files: FileAccess
  private let logger: Logger
  private let failures = Mutex(Failures())

  /// Checkpoints that failed: each is tried again after the next commit, so not every one is worth a line.
  private struct Failures {
    /// Not yet in the log.
    var count = 0
    var lastLine: ContinuousClock.Instant?
  }

  /// 16 MiB of log start a checkpoint. Most groups write the same pages again, and the more of the log is taken at once,
  /// the fewer pages go to the file.
  private static let startPages = 4_000
  /// Beyond 64 MiB the writer does what is left itself, so that the log begins again and stays of bounded size.
  private static let limitPages = 16_000
  /// Between two lines about failures.
  private static let lineInterval = Duration.seconds(60)

  init(layout: StoreLayout, files: FileAccess, logger: Logger) {
    self.logger = logger
    self.layout = layout
    self.files = files
    pool = WorkerPool(threads: 1) { try? files.openDatabase(layout.database, .writing, cacheBytes: 1 << 20) }
  }

  /// Called by the writer between groups.
  func check(_ database: Database) {
    guard database.loggedPages >= Self.startPages else { return }
    if database.loggedPages >= Self.limitPages { run(.passive, database) }
    let mustStart = isRunning.withLock { isRunning in
      defer { isRunning = true }
      return !isRunning
    }
    guard mustStart else { return }
    let isAccepted = pool.submit { [self] database in
      if let database { run(.passive, database) }
      isRunning.withLock { $0 = false }
    }
    if !isAccepted { isRunning.withLock { $0 = false } }
  }

  /// At the end: all of the log into the file.
  func finish(_ database: Database) {
    do throws(FileError) { try mendLog() } catch { return }
    run(.truncating, database)
  }

  /// A commit has failed, perhaps in its flush.
  func doubtLog() { isLogDoubtful.store(true, ordering: .releasing) }

  /// By the writer, between groups. Nothing else writes to the log.
  func mendLog() throws(FileError) {
    guard isLogDoubtful.load(ordering: .acquiring), files.exists(layout.databaseLog) else { return }
    let log = try File(layout.databaseLog, .writing, access: files)
    let size = log.size
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 8)
    defer { memory.deallocate() }
    var position: Int64 = 0
    while position < size {
      let count = try log.read(into: memory, at: position)
      guard count > 0 else { break }
      try log.write(UnsafeRawBufferPointer(rebasing: memory[..<count]), at: position)
      position += Int64(count)
    }
    try log.flush()
    isLogDoubtful.store(false, ordering: .releasing)
    logger.notice("store_log_rewritten", metadata: ["octets": "\(size)"])
  }

  private static let pieceSize = 256 << 10

  func stop() async { await pool.stop() }
  func requestStop() { pool.requestStop() }

  /// Where it fails, all stays in the log, and nothing is lost.
  private func run(_ mode: Database.Checkpoint, _ database: Database) {
    guard !isLogDoubtful.load(ordering: .acquiring) else { return }
    do throws(SQLiteError) {
      try database.checkpoint(mode)
    } catch {
      doubtLog()
      note(error)
    }
  }

  private func note(_ error: SQLiteError) {
    let count = failures.withLock { failures -> Int? in
      failures.count += 1
      let now = ContinuousClock.now
      if let last = failures.lastLine, now < last + Self.lineInterval { return nil }
      failures.lastLine = now
      defer { failures.count = 0 }
      return failures.count
    }
    guard let count else { return }
    logger.error("store_checkpoint_failed", metadata: ["error": "\(error)", "failures": "\(count)"])
  }
}
