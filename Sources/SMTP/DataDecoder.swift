#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Takes the text that follows DATA apart: removes the dots that were added for transport, finds the end, and watches
/// the line ends.  RFC 5321 §4.5.2.
///
/// A value over chunks that may be cut anywhere. The end is CRLF `.` CRLF and nothing else (RFC 5321 §4.1.1.4). A CR or
/// LF alone is noted, and from then on nothing more is given out: such a message is refused after its end, for a server
/// that takes `LF . LF` for the end would see other commands than the one before it did (SMTP smuggling).
package struct DataDecoder: Sendable {
  private enum State {
    /// After CRLF, and at the start: the CRLF of the DATA command counts.
    case lineStart
    case inLine
    case afterCR
    /// After a dot at the start of a line.
    case afterDot
    /// After a dot and CR: if LF follows, this was the end.
    case afterDotCR
    case finished
  }

  private var state = State.lineStart
  /// There was a CR or LF alone.
  package private(set) var hasBareLineEnd = false

  package init() {}

  package var isFinished: Bool {
    if case .finished = state { true } else { false }
  }

  /// Appends what `input` holds of the message to `output`.
  /// - Returns: how many octets were used: all, or up to and with the end of the data.
  package mutating func decode(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Int {
    guard let base = input.baseAddress else { return 0 }
    let count = input.count
    var index = 0
    /// Octets from here to `index` are to be given out together.
    var runStart = 0
    while index < count {
      switch state {
      case .inLine:
        let rest = count - index
        guard let found = memchr(base + index, 0x0D, rest) else {
          if memchr(base + index, 0x0A, rest) != nil { hasBareLineEnd = true }
          index = count
          break
        }
        let length = base.distance(to: found) - index
        if memchr(base + index, 0x0A, length) != nil { hasBareLineEnd = true }
        index += length + 1
        state = .afterCR
      case .afterCR:
        switch input[index] {
        case 0x0A:
          index += 1
          state = .lineStart
        case 0x0D:
          hasBareLineEnd = true
          index += 1
        default:
          hasBareLineEnd = true
          state = .inLine
        }
      case .lineStart:
        if input[index] == UInt8(ascii: ".") {
          give(input, runStart..<index, to: &output)
          index += 1
          runStart = index
          state = .afterDot
        } else {
          state = .inLine
        }
      case .afterDot:
        if input[index] == 0x0D {
          give(input, runStart..<index, to: &output)
          runStart = index
          index += 1
          state = .afterDotCR
        } else {
          state = .inLine
        }
      case .afterDotCR:
        if input[index] == 0x0A {
          state = .finished
          return index + 1
        }
        // The CR was alone, so its line is not given out any more.
        hasBareLineEnd = true
        state = .inLine
      case .finished:
        return index
      }
    }
    if case .afterDotCR = state { return count }
    give(input, runStart..<count, to: &output)
    return count
  }

  private func give(_ input: UnsafeRawBufferPointer, _ range: Range<Int>, to output: inout [UInt8]) {
    if !range.isEmpty, !hasBareLineEnd { output.append(contentsOf: input[range]) }
  }
}

/// Watches the line ends of a body that comes by BDAT, cut anywhere.  RFC 3030 §3: only BINARYMIME lifts the rules.
package struct LineEndScanner: Sendable {
  private var endsInCR = false
  private var foundBare = false

  package init() {}

  /// True if there was a CR or LF alone, supposing that the body ends here.
  package var hasBareLineEnd: Bool { foundBare || endsInCR }

  package mutating func scan(_ input: UnsafeRawBufferPointer) {
    guard let base = input.baseAddress, !input.isEmpty, !foundBare else { return }
    var index = 0
    if endsInCR {
      guard input[0] == 0x0A else {
        foundBare = true
        return
      }
      index = 1
      endsInCR = false
    }
    while index < input.count {
      let rest = input.count - index
      let found = memchr(base + index, 0x0D, rest)
      let length = found.map { base.distance(to: $0) - index } ?? rest
      if memchr(base + index, 0x0A, length) != nil {
        foundBare = true
        return
      }
      index += length
      if found == nil { return }
      if index + 1 == input.count {
        endsInCR = true
        return
      }
      guard input[index + 1] == 0x0A else {
        foundBare = true
        return
      }
      index += 2
    }
  }
}
