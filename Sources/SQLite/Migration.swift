/// One step from a schema to the next. Steps are never changed once released; new ones are added at the end.
package struct Migration: Sendable {
  package let name: String
  package let sql: String
  package init(_ name: String, _ sql: String) {
    self.name = name
    self.sql = sql
  }
}

extension Database {
  /// Writes all there is to a new database file, which must not exist. Not flushed.
  package func copy(to path: String) throws(SQLiteError) { try run("VACUUM INTO ?", [.text(path)]) }

  /// The number of migrations that have been applied.
  package func schemaVersion() throws(SQLiteError) -> Int {
    Int(try first("PRAGMA user_version") { $0.integer(0) } ?? 0)
  }

  /// Applies the migrations that are missing, each in a transaction of its own, and returns their names.
  package func migrate(_ migrations: [Migration]) throws(SQLiteError) -> [String] {
    let version = try schemaVersion()
    guard version < migrations.count else { return [] }
    var applied: [String] = []
    for (number, migration) in migrations.enumerated().dropFirst(version) {
      try begin()
      do {
        try execute(migration.sql)
        try execute("PRAGMA user_version = \(number + 1)")
        try commit()
      } catch {
        rollBack()
        throw error
      }
      applied.append(migration.name)
    }
    return applied
  }
}
