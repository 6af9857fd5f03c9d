import Metrics

/// What the store measures of its writing. Base units; no label names an account, an address or a message.
struct StoreMetrics: Sendable {
  /// Changes that waited when the writer took a group.
  let waitingChanges: Recorder
  /// Changes made durable together.
  let groupChanges: Recorder
  /// From a group's start to its answers.
  let commitTime: Timer
  /// Of that, until its records and bodies were on the disk.
  let flushTime: Timer
  /// Octets put into packs.
  let writtenOctets: Counter
  let failedCommits: Counter

  init(_ factory: any MetricsFactory) {
    waitingChanges = Recorder(label: "martlet_store_queue_changes", factory: factory)
    groupChanges = Recorder(label: "martlet_store_commit_group_changes", factory: factory)
    commitTime = Timer(label: "martlet_store_commit_seconds", factory: factory)
    flushTime = Timer(label: "martlet_store_flush_seconds", factory: factory)
    writtenOctets = Counter(label: "martlet_store_written_bytes_total", factory: factory)
    failedCommits = Counter(label: "martlet_store_commit_failures_total", factory: factory)
  }
}
