import Logging
import SQLite

/// Brings a store to this version's schema. A store of an older version is copied first (`store.db.schema-N`, N being
/// the old schema), so that whoever is not content can go back; one of a newer version is left alone.
struct StoreMigration {
  let layout: StoreLayout
  let files: FileAccess
  let logger: Logger

  /// - Parameter isNew: there is nothing to copy, and nobody to tell.
  /// - Throws: `newerSchema`; `deviceFull` where the copy finds no room, with nothing changed.
  func run(_ database: Database, isNew: Bool, migrations: [Migration] = Schema.migrations) throws(StoreError) {
    do throws(SQLiteError) {
      let version = try database.schemaVersion()
      guard version <= migrations.count else { throw Newer.error(version) }
      if !isNew, version < migrations.count { try snapshot(database, of: version) }
      for name in try database.migrate(migrations) where !isNew {
        logger.notice("store_migrated", metadata: ["migration": "\(name)"])
      }
    } catch {
      if let version = Newer.version(of: error) { throw .newerSchema(version) }
      throw StoreError(error)
    }
  }

  private func snapshot(_ database: Database, of version: Int) throws(SQLiteError) {
    let path = layout.snapshot(ofSchema: version)
    // One from a migration that did not come to its end is made again.
    files.remove(path)
    try database.copy(to: path)
    do throws(FileError) {
      try File(path, .writing, access: files).flush()
      try files.flushDirectory(layout.root)
      for name in try files.names(in: layout.root) {
        if let older = layout.schema(ofSnapshotNamed: name), older < version {
          files.remove(layout.snapshot(ofSchema: older))
        }
      }
    } catch {
      throw SQLiteError(kind: error.storeError == .deviceFull ? .full : .inputOutput)
    }
    logger.notice("store_snapshot", metadata: ["path": "\(path)"])
  }
}

/// A version that is too new, on its way through the errors of SQLite.
private enum Newer {
  private static let code: Int32 = -1
  static func error(_ version: Int) -> SQLiteError { SQLiteError(code: code, message: "\(version)") }
  static func version(of error: SQLiteError) -> Int? { error.code == code ? Int(error.message) : nil }
}
