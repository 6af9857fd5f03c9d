package import Logging
package import MessageFormat
package import Metrics

package struct StoreOptions: Sendable {
  package var clock: WallClock
  package var logger: Logger
  /// Where the store's metrics are kept.
  package var metrics: any MetricsFactory
  /// Sum of bodies that may be in memory on their way in, in octets.
  package var stagingBudget: Int
  /// Bodies above this go to a file of their own.
  package var largeBodyThreshold: Int
  /// Memory for the indexes of selected mailboxes, in octets.
  package var indexBudget: Int
  /// A pack beyond this is left for a new one, in octets.
  package var packSize: Int
  /// How long new messages wait for others to be put into the search index together with.
  package var searchIndexDelay: Duration
  /// How long what was deleted can be restored.
  package var keepDeleted: Duration
  /// Sees every change of a file before it is made, from any thread. Returns the error number with which it is to fail,
  /// or 0. For tests; nil costs nothing.
  package var fault: (@Sendable (FileOperation) -> Int32)?
  package init(
    clock: WallClock = .system, logger: Logger = Logger(label: "store"),
    metrics: any MetricsFactory = MetricsSystem.factory, stagingBudget: Int = 64 << 20,
    largeBodyThreshold: Int = 1 << 20, indexBudget: Int = 64 << 20, packSize: Int = 64 << 20,
    keepDeleted: Duration = .seconds(30 * 86_400), searchIndexDelay: Duration = .seconds(2),
    fault: (@Sendable (FileOperation) -> Int32)? = nil
  ) {
    self.clock = clock
    self.logger = logger
    self.metrics = metrics
    self.stagingBudget = stagingBudget
    self.largeBodyThreshold = largeBodyThreshold
    self.indexBudget = indexBudget
    self.packSize = packSize
    self.searchIndexDelay = searchIndexDelay
    self.keepDeleted = keepDeleted
    self.fault = fault
  }
}
