package import MessageFormat

/// A body on its way in: in memory while it is small and the budget lasts, in the spool beyond that.
/// It has one owner; `finish` or `discard` ends it.
package final class BodyStage: Sendable {
  package var size: Int { fatalError("skeleton") }
  /// Suspends while bodies in flight are over their budget.
  package func append(_ bytes: [UInt8]) async throws(StoreError) { fatalError("skeleton") }
  /// Ends the body and reads its structure. Nothing is durable yet.
  package func finish() async throws(StoreError) -> StagedBody { fatalError("skeleton") }
  package func discard() { fatalError("skeleton") }
}

/// A whole body with its structure, ready to be stored. Its memory or spool file is released with the last reference.
package final class StagedBody: Sendable {
  package var size: Int { fatalError("skeleton") }
  package var structure: MessageStructure { fatalError("skeleton") }
  /// The first bytes, at least the whole header where that is within the limit of `MessageLimits`.
  package var head: [UInt8] { fatalError("skeleton") }
}
