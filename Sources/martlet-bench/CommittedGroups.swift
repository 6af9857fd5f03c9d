import Metrics
import Synchronization

/// A place for the store's metrics that keeps how many changes were made durable together, group by group.
final class CommittedGroups: MetricsFactory {
  private let groups = Groups()

  private final class Groups: RecorderHandler {
    let sizes = Mutex<[Int]>([])
    func record(_ value: Int64) { sizes.withLock { $0.append(Int(value)) } }
    func record(_ value: Double) { record(Int64(value)) }
  }

  /// Those since the last call.
  func take() -> [Int] {
    groups.sizes.withLock { sizes in
      defer { sizes = [] }
      return sizes
    }
  }

  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    label == "martlet_store_commit_group_changes" ? groups : NOOPMetricsHandler.instance
  }
  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { NOOPMetricsHandler.instance }
  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
  func destroyCounter(_ handler: any CounterHandler) {}
  func destroyRecorder(_ handler: any RecorderHandler) {}
  func destroyTimer(_ handler: any TimerHandler) {}
}
