/// Whoever answers questions about names: ``Resolver``, or a test.
package protocol Resolving: Sendable {
  func lookUp(_ name: DomainName, _ type: RecordType) async throws(ResolutionError) -> RawAnswer
}

extension Resolving {
  /// The records of a type at a name, aliases followed.
  package func records<Record: RecordData>(
    _: Record.Type, at name: DomainName
  ) async throws(ResolutionError) -> Answer<Record> {
    Answer(try await lookUp(name, Record.type))
  }
}

/// Why there is no answer. All of it may pass: mail waits for it to.
package enum ResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// No answer within the time limit.
  case timedOut
  /// The servers that know the name fail or cannot be reached; the text is for the log.
  case failed(String)
  /// An answer came, and its signatures are wrong: somebody has changed it, or the zone is badly kept.
  case bogus(String)
  /// Too many questions are open.
  case busy
  /// The one who asked has been cancelled.
  case cancelled
  /// The resolver has been closed.
  case closed

  package var description: String {
    switch self {
    case .timedOut: "DNS did not answer in time"
    case .failed(let reason): "DNS failed: \(reason)"
    case .bogus(let reason): "DNSSEC: \(reason)"
    case .busy: "too many questions to DNS are open"
    case .cancelled: "the question to DNS was cancelled"
    case .closed: "the resolver is closed"
    }
  }
}
