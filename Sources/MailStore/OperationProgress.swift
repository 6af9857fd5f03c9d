/// How far a long operation has come, for whoever waits for it.
package struct OperationProgress: Codable, Hashable, Sendable {
  /// What is being done, in words for a person: "checking packs".
  package var phase: String
  /// Units done in this phase.
  package var done: Int64
  /// Units there are in all; nil where nobody knows yet.
  package var total: Int64?
  package var unit: Unit

  package enum Unit: String, Codable, Hashable, Sendable {
    case octets
    case messages
    case steps
  }

  package init(phase: String, done: Int64, total: Int64?, unit: Unit) {
    self.phase = phase
    self.done = done
    self.total = total
    self.unit = unit
  }
}

/// Takes reports of progress, from any thread, as often as the operation likes: it must be cheap and must not block.
package typealias ProgressHandler = @Sendable (OperationProgress) -> Void
