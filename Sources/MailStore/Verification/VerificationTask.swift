import SQLite

/// A verification on a thread and a connection of its own.
struct VerificationTask {
  let layout: StoreLayout
  let files: FileAccess
  let options: VerificationOptions

  func run(_ progress: @escaping ProgressHandler) async throws(StoreError) -> VerificationReport {
    try await onOwnThread(progress) { (isCancelled, progress) throws(StoreError) in
      let database: Database
      do throws(SQLiteError) {
        database = try files.openDatabase(layout.database, .reading)
      } catch {
        throw .inputOutput("store.db cannot be opened")
      }
      var verifier = StoreVerifier(
        database: database, layout: layout, files: files, options: options, isCancelled: isCancelled, progress: progress
      )
      return try verifier.run()
    }
  }
}
