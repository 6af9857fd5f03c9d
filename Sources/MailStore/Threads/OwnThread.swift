import Synchronization
import Threads

/// Whoever waits for progress is not left without news for longer than this.
private let heartbeat = Duration.seconds(10)

/// Runs what blocks for long on a thread of its own. `isCancelled` tells it that the task was cancelled; its progress is
/// repeated while a step takes long and tells nothing.
func onOwnThread<Value: Sendable>(
  _ progress: @escaping ProgressHandler,
  _ work:
    @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool, @escaping ProgressHandler) throws(StoreError)
    -> Value
) async throws(StoreError) -> Value {
  let isCancelled = ClosedFlag()
  let latest = Mutex<OperationProgress?>(nil)
  let report: ProgressHandler = { news in
    latest.withLock { $0 = news }
    progress(news)
  }
  let repeater = Task {
    while (try? await Task.sleep(for: heartbeat)) != nil {
      if let news = latest.withLock({ $0 }) { progress(news) }
    }
  }
  defer { repeater.cancel() }
  let result: Result<Value, StoreError> = await withTaskCancellationHandler {
    await withCheckedContinuation { continuation in
      startThread {
        do throws(StoreError) {
          continuation.resume(returning: .success(try work({ isCancelled.value }, report)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
  } onCancel: {
    isCancelled.set()
  }
  return try result.get()
}
