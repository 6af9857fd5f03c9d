import SQLite

/// Connections that read `search.db`, lent to one search each. They are there while the file is good, and gone before
/// it is removed: a connection that outlived its file would take the log of the next one with it.
final class SearchReaders: @unchecked Sendable {
  private final class Connection {
    var database: Database?
  }

  private let path: String
  private let files: FileAccess
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var isOpen = false
  private var idle: [Connection] = []
  private var lent = 0

  init(path: String, files: FileAccess) {
    self.path = path
    self.files = files
  }

  /// Nil, and `body` is not run, where there is nothing to read.
  func read<Result>(_ body: (SearchDatabase) throws(SQLiteError) -> Result) throws(SQLiteError) -> Result? {
    let connection = monitor.withLock { () -> Connection? in
      guard isOpen else { return nil }
      lent += 1
      return idle.popLast() ?? Connection()
    }
    guard let connection else { return nil }
    defer {
      monitor.withLock {
        idle.append(connection)
        lent -= 1
        monitor.signalAll()
      }
    }
    return try use(connection, body)
  }

  /// A function of its own, so that nothing here holds the database any more when the connection is given back.
  @inline(never)
  private func use<Result>(
    _ connection: Connection, _ body: (SearchDatabase) throws(SQLiteError) -> Result
  ) throws(SQLiteError) -> Result {
    let database: Database
    if let known = connection.database {
      database = known
    } else {
      database = try files.openDatabase(path, .reading, cacheBytes: 2 << 20)
      connection.database = database
    }
    return try body(SearchDatabase(reading: database))
  }

  /// The file is there and good.
  func open() { monitor.withLock { isOpen = true } }

  /// Returns when nobody reads any more and every connection is closed.
  func close() {
    monitor.withLock {
      isOpen = false
      while lent > 0 { monitor.wait() }
      for connection in idle { connection.database = nil }
      idle = []
    }
  }
}
