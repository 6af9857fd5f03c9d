import MessageFormat
import SQLite

/// A backup that is open for reading. It takes no part in anything: no recovery, no writes. Blocks.
struct SavedStore {
  let layout: StoreLayout
  let files: FileAccess
  let database: Database
  private let bodies: BodyReader
  private let lock: StoreLock?

  /// - Throws: `inputOutput` where there is no backup, or one of another version's schema.
  init(_ directory: String, files: FileAccess) throws(StoreError) {
    let target = BackupDirectory(directory, files: files)
    guard files.exists(target.layout.database), files.exists(target.layout.packs) else {
      throw .inputOutput("\(directory) is not a backup: there is no store.db in it")
    }
    guard !files.exists(target.layout.spool) else {
      throw .inputOutput("\(directory) is a store that has been opened, not a backup")
    }
    // Where the backup lies on a medium that cannot be written to, nobody writes it meanwhile.
    lock = files.isWritable(directory) ? try target.lock() : nil
    let version: Int
    do throws(SQLiteError) {
      database = try files.openDatabase(target.layout.database, .reading)
      version = try database.schemaVersion()
    } catch {
      throw StoreError(error)
    }
    guard version <= Schema.migrations.count else { throw .newerSchema(version) }
    layout = target.layout
    self.files = files
    bodies = BodyReader(layout: layout, access: files)
  }

  /// A state that its messages can be read from one by one.
  func expectCurrentSchema() throws(StoreError) {
    var version = 0
    do throws(SQLiteError) { version = try database.schemaVersion() } catch { throw StoreError(error) }
    guard version == Schema.migrations.count else {
      throw .inputOutput(
        "\(layout.root) was made by an older version: restore all of it into a new data directory, and back that up")
    }
  }

  func verify(
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping ProgressHandler
  ) throws(StoreError) -> VerificationReport {
    var verifier = StoreVerifier(
      database: database, layout: layout, files: files, options: VerificationOptions(), isCancelled: isCancelled,
      progress: progress)
    return try verifier.run()
  }

  func read(_ content: ContentReference, range: Range<Int>) throws(StoreError) -> [UInt8] {
    try bodies.read(content, range: range, database: database)
  }
}
