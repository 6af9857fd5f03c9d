#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Makes of a message what goes over the wire after DATA or BDAT: the counterpart of ``DataDecoder``.  RFC 5321 §4.5.2.
///
/// A value over chunks that may be cut anywhere. Every CR or LF that stands alone leaves as CRLF: what one server would
/// take for a line end and the next would not is never sent, wherever the message came from (SMTP smuggling).
package struct DataEncoder: Sendable {
  package enum Form: Sendable {
    /// DATA: a dot at the start of a line is doubled, and a line with one dot ends it.
    case dotted
    /// BDAT: lines only.
    case lines
    /// BDAT with BODY=BINARYMIME: as it is.
    case binary
  }

  private let form: Form
  private var isAtLineStart = true
  /// A CR has come; whether it is the first half of a line end is not known yet.
  private var isAfterCR = false

  package init(_ form: Form) { self.form = form }

  package mutating func encode(_ input: [UInt8], into output: inout [UInt8]) {
    input.withUnsafeBytes { encode($0, into: &output) }
  }

  package mutating func encode(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    guard let base = input.baseAddress else { return }
    guard form != .binary else { return output.append(contentsOf: input) }
    output.reserveCapacity(output.count + input.count + input.count / 32 + 8)
    var index = 0
    while index < input.count {
      if isAfterCR {
        endLine(&output)
        if input[index] == 0x0A { index += 1 }
        continue
      }
      if isAtLineStart {
        if form == .dotted, input[index] == UInt8(ascii: ".") { output.append(UInt8(ascii: ".")) }
        isAtLineStart = false
      }
      let lineFeed = memchr(base + index, 0x0A, input.count - index).map { base.distance(to: $0) } ?? input.count
      let stop = memchr(base + index, 0x0D, lineFeed - index).map { base.distance(to: $0) } ?? lineFeed
      output.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[index..<stop]))
      index = stop
      guard stop < input.count else { break }
      if input[stop] == 0x0D { isAfterCR = true } else { endLine(&output) }
      index += 1
    }
  }

  /// Ends the last line, and the message where dots do that.
  package mutating func finish(into output: inout [UInt8]) {
    if form == .binary { return }
    if isAfterCR || !isAtLineStart { endLine(&output) }
    if form == .dotted { output += [UInt8(ascii: "."), 0x0D, 0x0A] }
  }

  private mutating func endLine(_ output: inout [UInt8]) {
    output += [0x0D, 0x0A]
    isAtLineStart = true
    isAfterCR = false
  }
}
