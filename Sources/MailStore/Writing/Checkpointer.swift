import SQLite
import Synchronization

/// Moves pages from the write-ahead log into the database file, on a thread and a connection of its own, so that
/// commits do not wait for it.
final class Checkpointer: Sendable {
  private let pool: WorkerPool<Database>
  private let isRunning = Mutex(false)

  /// 16 MiB of log start a checkpoint. Most groups write the same pages again, and the more of the log is taken at once,
  /// the fewer pages go to the file.
  private static let startPages = 4_000
  /// Beyond 64 MiB the writer does what is left itself, so that the log begins again and stays of bounded size.
  private static let limitPages = 16_000

  init(layout: StoreLayout) {
    let path = layout.database
    pool = WorkerPool(threads: 1) { try? Database(path: path, access: .writing, cacheBytes: 1 << 20) }
  }

  /// Called by the writer between groups.
  func check(_ database: Database) {
    guard database.loggedPages >= Self.startPages else { return }
    if database.loggedPages >= Self.limitPages { _ = try? database.checkpoint(.passive) }
    let mustStart = isRunning.withLock { isRunning in
      defer { isRunning = true }
      return !isRunning
    }
    guard mustStart else { return }
    let isAccepted = pool.submit { [self] database in
      _ = try? database?.checkpoint(.passive)
      isRunning.withLock { $0 = false }
    }
    if !isAccepted { isRunning.withLock { $0 = false } }
  }

  /// At the end: all of the log into the file.
  func finish(_ database: Database) {
    _ = try? database.checkpoint(.truncating)
  }

  func stop() async { await pool.stop() }
  func requestStop() { pool.requestStop() }
}
