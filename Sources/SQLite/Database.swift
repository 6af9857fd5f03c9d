import CSQLite

/// One connection to a database file in WAL mode, with its prepared statements. Used by one thread at a time; never on
/// a thread that must not block.
///
/// SQL is given as literals: each is prepared once for the life of the connection and found again by its address.
package final class Database {
  package enum Access: Sendable {
    case reading
    /// Makes the file where it is not there.
    case writing
    /// A new file that is filled in one go. It is of no use until all is in it and the caller has flushed the file:
    /// there is no journal.
    case building
  }

  private let handle: OpaquePointer
  private var statements: [UnsafeRawPointer: Statement] = [:]
  private let logSize = LogSize()
  private let files: WatchedFiles?
  private var isClosed = false
  private var flushesCommits = true

  /// Pages in the write-ahead log after the last commit of this connection.
  package var loggedPages: Int { logSize.pages }

  /// - Parameter files: who sees all that is written to the database's files; nil is the system itself.
  package init(
    path: String, access: Access, cacheBytes: Int = 16 << 20, files: WatchedFiles? = nil
  ) throws(SQLiteError) {
    self.files = files
    var handle: OpaquePointer?
    // SQLITE_OPEN_NOMUTEX: the connection stays with its thread.
    let flags =
      switch access {
      case .reading: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
      case .writing, .building: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
      }
    let code = sqlite3_open_v2(path, &handle, flags, files?.name)
    guard code == SQLITE_OK, let handle else {
      let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
      let systemCode = handle.map { sqlite3_system_errno($0) } ?? 0
      sqlite3_close_v2(handle)
      throw SQLiteError(code: code, message: message, systemCode: systemCode)
    }
    self.handle = handle
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, 10_000)
    try execute("PRAGMA cache_size = -\(cacheBytes / 1024); PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;")
    switch access {
    case .reading:
      try execute("PRAGMA query_only = ON;")
    case .writing:
      // FULL: a commit is on the disk when it returns, unless `flushCommits` says otherwise. Checkpoints are the caller's
      // to time, so that none stalls a commit.
      try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
      sqlite3_wal_hook(handle, noteLogSize, Unmanaged.passUnretained(logSize).toOpaque())
    case .building:
      // What is sorted on the way may be more than fits into memory.
      try execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;")
    }
  }

  deinit { close() }

  /// Lets go of the files; the last one to do so empties the log and removes it. Not used after this.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    statements.removeAll()
    sqlite3_close_v2(handle)
  }

  // MARK: Statements

  /// Runs any number of statements that take no values and give no rows.
  package func execute(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw lastError(code) }
  }

  /// Runs one statement to its end.
  package func run(_ sql: StaticString, _ values: [SQLValue] = []) throws(SQLiteError) {
    let statement = try prepare(sql, values)
    defer { statement.reset() }
    while try step(statement) {}
  }

  /// Gives every row to `body`, until it returns false.
  package func forEach(
    _ sql: StaticString, _ values: [SQLValue] = [], _ body: (Row) -> Bool
  ) throws(SQLiteError) {
    let statement = try prepare(sql, values)
    defer { statement.reset() }
    let row = Row(handle: statement.handle)
    while try step(statement) {
      guard body(row) else { return }
    }
  }

  /// What `body` makes of the first row, or nil where there is none.
  package func first<Result>(
    _ sql: StaticString, _ values: [SQLValue] = [], _ body: (Row) -> Result
  ) throws(SQLiteError) -> Result? {
    let statement = try prepare(sql, values)
    defer { statement.reset() }
    return try step(statement) ? body(Row(handle: statement.handle)) : nil
  }

  /// Rows changed by the last INSERT, UPDATE or DELETE.
  package var changedRows: Int { Int(sqlite3_changes64(handle)) }

  private func prepare(_ sql: StaticString, _ values: [SQLValue]) throws(SQLiteError) -> Statement {
    let key = UnsafeRawPointer(sql.utf8Start)
    let statement: Statement
    if let known = statements[key] {
      statement = known
    } else {
      var prepared: OpaquePointer?
      let code = sql.utf8Start.withMemoryRebound(to: CChar.self, capacity: sql.utf8CodeUnitCount) {
        sqlite3_prepare_v3(
          handle, $0, Int32(sql.utf8CodeUnitCount), UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
      }
      guard code == SQLITE_OK, let prepared else { throw lastError(code) }
      statement = Statement(handle: prepared)
      statements[key] = statement
    }
    let code = statement.bind(values)
    guard code == SQLITE_OK else {
      statement.reset()
      throw lastError(code)
    }
    return statement
  }

  private func step(_ statement: Statement) throws(SQLiteError) -> Bool {
    switch sqlite3_step(statement.handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw lastError(code)
    }
  }

  private func lastError(_ code: Int32) -> SQLiteError {
    let isOfSystem = code & 0xFF == SQLITE_IOERR || code & 0xFF == SQLITE_CANTOPEN
    return SQLiteError(
      code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)),
      systemCode: isOfSystem ? sqlite3_system_errno(handle) : 0)
  }

  // MARK: Transactions

  /// Whether a commit is on the disk when it returns, as it is at first. Without it a power cut may take the newest
  /// commits, up to the last that was flushed; none of them in part, and none before one that is left. Not inside a
  /// transaction.
  package func flushCommits(_ flushes: Bool) throws(SQLiteError) {
    guard flushes != flushesCommits else { return }
    try execute(flushes ? "PRAGMA synchronous = FULL;" : "PRAGMA synchronous = NORMAL;")
    flushesCommits = flushes
  }

  /// False after an error that made SQLite roll back by itself.
  package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Takes the write lock at once, so that nothing fails later for want of it.
  package func begin() throws(SQLiteError) { try run("BEGIN IMMEDIATE") }
  package func commit() throws(SQLiteError) { try run("COMMIT") }
  package func rollBack() {
    guard isInTransaction else { return }
    try? run("ROLLBACK")
  }

  package func beginSavepoint() throws(SQLiteError) { try run("SAVEPOINT step") }
  package func releaseSavepoint() throws(SQLiteError) { try run("RELEASE step") }
  /// Undoes what was done since `beginSavepoint` and ends the savepoint.
  package func undoSavepoint() throws(SQLiteError) {
    try run("ROLLBACK TO step")
    try run("RELEASE step")
  }

  /// Runs `body` on one unchanging state of the database.
  package func reading<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let began = (try? run("BEGIN")) != nil
    defer { if began { rollBack() } }
    return try body()
  }

  // MARK: Checkpoints

  package struct CheckpointProgress: Sendable {
    /// Pages in the log.
    package var logged: Int
    /// Of these, the ones that are in the database file by now.
    package var written: Int
  }

  package enum Checkpoint: Sendable {
    /// As far as it goes without waiting for anybody.
    case passive
    /// All of it, and the log is emptied; waits for readers and the writer.
    case truncating
  }

  @discardableResult
  package func checkpoint(_ mode: Checkpoint) throws(SQLiteError) -> CheckpointProgress {
    var logged: Int32 = 0
    var written: Int32 = 0
    let mode =
      switch mode {
      case .passive: SQLITE_CHECKPOINT_PASSIVE
      case .truncating: SQLITE_CHECKPOINT_TRUNCATE
      }
    let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &logged, &written)
    guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else { throw lastError(code) }
    return CheckpointProgress(logged: Int(logged), written: Int(written))
  }
}

private final class LogSize {
  var pages = 0
}

private func noteLogSize(
  _ context: UnsafeMutableRawPointer?, _: OpaquePointer?, _: UnsafePointer<CChar>?, _ pages: Int32
) -> Int32 {
  if let context { Unmanaged<LogSize>.fromOpaque(context).takeUnretainedValue().pages = Int(pages) }
  return SQLITE_OK
}
