#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Bytes that have arrived and are not consumed: a queue with cheap removal at the front.
///
/// An empty queue holds no memory, so thousands of idle connections cost nothing here.
package struct ReceivedBytes: Sendable {
  private var storage: [UInt8] = []
  /// The first byte of `storage` that is not consumed.
  private var head = 0
  /// Before this index no line of kind `scannedFor` ends.
  private var scanned = 0
  private var scannedFor = LineEnding.crlf
  /// The line at the front is over its limit, and bytes of it are gone already.
  private var isDroppingLine = false

  package init() {}

  package var count: Int { storage.count - head }
  package var isEmpty: Bool { count == 0 }

  package mutating func append(_ bytes: [UInt8]) {
    if isEmpty {
      // The usual case: everything before was consumed, so the array is taken over as it is.
      storage = bytes
      head = 0
      scanned = 0
    } else {
      if head > 4_096, head > storage.count / 2 {
        storage.removeFirst(head)
        scanned = max(0, scanned - head)
        head = 0
      }
      storage.append(contentsOf: bytes)
    }
  }

  /// Takes the next line without its line end. Scanning goes on where the last call stopped.
  /// - Parameters:
  ///   - limit: octets a line may have without its line end. A longer line is dropped up to and with its end, which may
  ///     take several calls, then reported as `.tooLong` once.
  ///   - ending: which line ends count.
  package mutating func takeLine(limit: Int, ending: LineEnding) -> LineResult {
    guard !isEmpty else { return .needsMore }
    if scannedFor != ending || scanned < head {
      scannedFor = ending
      scanned = head
    }
    guard let lineFeed = nextLineEnd(ending) else {
      scanned = storage.count
      dropIfOver(limit)
      return .needsMore
    }
    let lineEnd = lineFeed > head && storage[lineFeed - 1] == 0x0D ? lineFeed - 1 : lineFeed
    let isTooLong = isDroppingLine || lineEnd - head > limit
    isDroppingLine = false
    let line = isTooLong ? [] : Array(storage[head..<lineEnd])
    advance(to: lineFeed + 1)
    scanned = head
    return isTooLong ? .tooLong : .line(line)
  }

  /// Takes up to `count` bytes from the front.
  package mutating func take(upTo count: Int) -> [UInt8] {
    let count = max(0, min(count, self.count))
    if head == 0, count == storage.count {
      let all = storage
      removeAll()
      return all
    }
    let taken = Array(storage[head..<head + count])
    advance(to: head + count)
    return taken
  }

  package mutating func removeAll() {
    storage = []
    head = 0
    scanned = 0
    isDroppingLine = false
  }

  /// Calls `body` with the unconsumed bytes; `body` says how many of them it has consumed.
  package mutating func consume<Result>(_ body: (UnsafeRawBufferPointer) throws -> (consumed: Int, Result)) rethrows
    -> Result
  {
    let (consumed, result) = try storage.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    advance(to: head + max(0, min(consumed, count)))
    return result
  }

  /// The index of the line feed that ends the first line, if that is there.
  private func nextLineEnd(_ ending: LineEnding) -> Int? {
    storage.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      var start = scanned
      while start < bytes.count, let found = memchr(base + start, 0x0A, bytes.count - start) {
        let index = UnsafeRawPointer(found) - base
        if ending == .crlfOrLF || (index > head && bytes[index - 1] == 0x0D) { return index }
        start = index + 1
      }
      return nil
    }
  }

  /// Lets go of an unfinished line that cannot become short enough any more.
  private mutating func dropIfOver(_ limit: Int) {
    let endsInCR = storage[storage.count - 1] == 0x0D
    guard isDroppingLine || count - (endsInCR ? 1 : 0) > limit else { return }
    // The CR may be the first half of the line end.
    storage = endsInCR ? [0x0D] : []
    head = 0
    scanned = storage.count
    isDroppingLine = true
  }

  private mutating func advance(to index: Int) {
    head = index
    guard head == storage.count else { return }
    storage = []
    head = 0
    scanned = 0
  }
}

package enum LineEnding: Sendable {
  /// CRLF only: a bare CR or LF is an octet of the line (the caller refuses it).
  case crlf
  /// CRLF, or LF alone as some clients send it.
  case crlfOrLF
}

package enum LineResult: Sendable, Equatable {
  case line([UInt8])
  /// A line over the limit has been dropped as a whole.
  case tooLong
  /// No whole line is there yet.
  case needsMore
}
