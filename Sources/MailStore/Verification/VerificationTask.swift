import SQLite
import Synchronization

/// A verification on a thread and a connection of its own.
struct VerificationTask {
  let layout: StoreLayout
  let files: FileAccess
  let options: VerificationOptions

  /// Whoever waits for progress is not left without news for longer than this.
  private static let heartbeat = Duration.seconds(10)

  func run(_ progress: @escaping ProgressHandler) async throws(StoreError) -> VerificationReport {
    let path = layout.database
    let pool = WorkerPool(threads: 1) { try? Database(path: path, access: .reading) }
    let isCancelled = ClosedFlag()
    let latest = Mutex<OperationProgress?>(nil)
    let report: @Sendable (OperationProgress) -> Void = { news in
      latest.withLock { $0 = news }
      progress(news)
    }
    // Some steps of SQLite take long and tell nothing.
    let repeater = Task {
      while (try? await Task.sleep(for: Self.heartbeat)) != nil {
        if let news = latest.withLock({ $0 }) { progress(news) }
      }
    }
    let result: Result<VerificationReport, StoreError> = await withTaskCancellationHandler {
      await pool.run { [self] database in
        guard let database else { return .failure(.inputOutput("store.db cannot be opened")) }
        var verifier = StoreVerifier(
          database: database, layout: layout, files: files, options: options,
          isCancelled: { isCancelled.value }, progress: report)
        do throws(StoreError) { return .success(try verifier.run()) } catch { return .failure(error) }
      }
    } onCancel: {
      isCancelled.set()
    }
    repeater.cancel()
    await pool.stop()
    return try result.get()
  }
}
