/// What a trial has done, and found in order.
package struct PowerReport: Sendable, CustomStringConvertible {
  package var cuts = 0
  /// Of these, before the store was open again.
  package var cutsWhileOpening = 0
  package var acknowledged = 0
  package var refused = 0
  /// Messages looked at after cuts, each as often as it was.
  package var messages = 0
  /// Changes in hand at a cut that had happened, and that had not.
  package var happened = 0
  package var undone = 0
  package var backups = 0
  /// Stores that were made again from their packs, and were the same.
  package var rebuilt = 0
  package var searches = 0

  package init() {}

  package mutating func add(_ other: PowerReport) {
    cuts += other.cuts
    cutsWhileOpening += other.cutsWhileOpening
    acknowledged += other.acknowledged
    refused += other.refused
    messages += other.messages
    happened += other.happened
    undone += other.undone
    backups += other.backups
    rebuilt += other.rebuilt
    searches += other.searches
  }

  package var description: String {
    """
    \(cuts) power cuts (\(cutsWhileOpening) while opening), \(acknowledged) changes acknowledged, \
    \(refused) refused by a failing disk, \(messages) messages checked; of changes in hand \(happened) had happened, \
    \(undone) had not; \(backups) backups, \(rebuilt) stores rebuilt from packs alone, \(searches) searches
    """
  }
}
