/// Bytes that have arrived and are not consumed: a queue with cheap removal at the front.
package struct ReceivedBytes: Sendable {
  package init() { fatalError("skeleton") }

  package var count: Int { fatalError("skeleton") }
  package var isEmpty: Bool { count == 0 }

  package mutating func append(_ bytes: [UInt8]) { fatalError("skeleton") }

  /// Takes the next line without its line end. Scanning goes on where the last call stopped.
  /// - Parameters:
  ///   - limit: octets a line may have without its line end. A longer line is dropped up to and with its end, which may
  ///     take several calls, then reported as `.tooLong` once.
  ///   - ending: which line ends count.
  package mutating func takeLine(limit: Int, ending: LineEnding) -> LineResult { fatalError("skeleton") }

  /// Takes up to `count` bytes from the front.
  package mutating func take(upTo count: Int) -> [UInt8] { fatalError("skeleton") }

  package mutating func removeAll() { fatalError("skeleton") }

  /// Calls `body` with the unconsumed bytes; `body` says how many of them it has consumed.
  package mutating func consume<Result>(_ body: (UnsafeRawBufferPointer) throws -> (consumed: Int, Result)) rethrows
    -> Result
  { fatalError("skeleton") }
}

package enum LineEnding: Sendable {
  /// CRLF only: a bare CR or LF is an octet of the line (the caller refuses it).
  case crlf
  /// CRLF, or LF alone as some clients send it.
  case crlfOrLF
}

package enum LineResult: Sendable {
  case line([UInt8])
  /// A line over the limit has been dropped as a whole.
  case tooLong
  /// No whole line is there yet.
  case needsMore
}
