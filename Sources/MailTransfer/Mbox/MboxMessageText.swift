import Bytes
import MessageFormat

/// A message as it stands in an mbox, made of octets that come in pieces: the `From ` line, the header with the mbox's
/// own fields behind it, the body with a `>` before every line that could be taken for a `From ` line.
struct MboxMessageText {
  private let date: DateTime
  private let fields: [UInt8]
  private var header: [UInt8]? = []
  private var ends = FileLineEnds()
  private var quoting = FromQuoting(.add)
  private var last: UInt8 = 0x0A

  private static let headerLimit = 1 << 20

  init(date: DateTime, fields: [UInt8]) {
    self.date = date
    self.fields = fields
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    var plain: [UInt8] = []
    ends.convert(bytes, into: &plain)
    append(plain, into: &output)
  }

  mutating func finish(into output: inout [UInt8]) {
    var plain: [UInt8] = []
    ends.finish(into: &plain)
    append(plain, into: &output)
    if let header { writeHeader(header, end: header.count, hasBlankLine: false, into: &output) }
    var rest: [UInt8] = []
    quoting.finish(into: &rest)
    write(rest, into: &output)
    if last != 0x0A { output.append(0x0A) }
    // An empty line ends every message.
    output.append(0x0A)
  }

  private mutating func append(_ bytes: [UInt8], into output: inout [UInt8]) {
    guard var header else { return writeBody(bytes[...], into: &output) }
    header += bytes
    let end = Self.endOfHeader(header)
    guard end != nil || header.count > Self.headerLimit else {
      self.header = header
      return
    }
    writeHeader(header, end: end ?? 0, into: &output)
    writeBody(header[(end ?? 0)...], into: &output)
  }

  /// - Parameter end: behind the blank line, or at the end where there is none.
  private mutating func writeHeader(
    _ bytes: [UInt8], end: Int, hasBlankLine: Bool = true, into output: inout [UInt8]
  ) {
    header = nil
    var kept: [UInt8] = []
    var sender: [UInt8] = []
    bytes.withUnsafeBytes { all in
      for field in HeaderFields(all, in: 0..<end) {
        if sender.isEmpty, all.equals("return-path", in: field.name) {
          sender = HeaderFields.unfolded(all, field.body).filter { $0 != 0x3C && $0 != 0x3E }
        }
        // The message's own would be taken for the mbox's.
        var own = MboxFields()
        if !own.take(name: Array(all[field.name]), body: []) { kept += all[field.range] }
      }
    }
    output += FromLine.text(sender: sender, date: date)
    if let last = kept.last, last != 0x0A { kept.append(0x0A) }
    write(FromQuoting.convert(kept, .add) + fields + (hasBlankLine ? [0x0A] : []), into: &output)
  }

  private mutating func writeBody(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) {
    var quoted: [UInt8] = []
    quoted.reserveCapacity(bytes.count)
    bytes.withUnsafeBytes { quoting.convert($0, into: &quoted) }
    write(quoted, into: &output)
  }

  private mutating func write(_ bytes: [UInt8], into output: inout [UInt8]) {
    output += bytes
    if let last = bytes.last { self.last = last }
  }

  private static func endOfHeader(_ bytes: [UInt8]) -> Int? {
    if bytes.first == 0x0A { return 1 }
    return bytes.withUnsafeBytes { all in
      Array("\n\n".utf8).withUnsafeBytes { all.firstIndex(of: $0) }.map { $0 + 2 }
    }
  }
}
