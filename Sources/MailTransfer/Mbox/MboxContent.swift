import Bytes
import MessageFormat

/// A message of an mbox as it is read: without the fields that are the mbox's, without the quoting of lines that begin
/// with `From `, with CRLF for line ends. Its octets come in pieces.
struct MboxContent {
  private(set) var fields = MboxFields()
  /// The header gathers until its end is there.
  private var header: [UInt8]? = []
  private let isQuoted: Bool
  private var ends = WireLineEnds()
  private var quoting = FromQuoting(.remove)

  /// A header beyond this is left as it is.
  private static let headerLimit = 1 << 20

  /// - Parameter isQuoted: `>From ` at the beginning of a line stands for `From `, and so on.
  init(isQuoted: Bool) { self.isQuoted = isQuoted }

  mutating func read(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    guard var header else { return readBody(bytes, into: &output) }
    header.append(contentsOf: bytes)
    let end = header.withUnsafeBytes { Self.endOfHeader($0) }
    guard end != nil || header.count > Self.headerLimit else {
      self.header = header
      return
    }
    self.header = nil
    takeHeader(header, end: end ?? 0, into: &output)
  }

  /// No more octets come.
  mutating func finish(into output: inout [UInt8]) {
    if let header {
      self.header = nil
      takeHeader(header, end: header.count, into: &output)
    }
    if isQuoted {
      var rest: [UInt8] = []
      quoting.finish(into: &rest)
      rest.withUnsafeBytes { ends.convert($0, into: &output) }
    }
  }

  private mutating func takeHeader(_ bytes: [UInt8], end: Int, into output: inout [UInt8]) {
    var kept: [UInt8] = []
    var fields = MboxFields()
    bytes.withUnsafeBytes { all in
      var last = 0
      for field in HeaderFields(all, in: 0..<end) {
        let name = Array(all[field.name])
        if !fields.take(name: name, body: HeaderFields.unfolded(all, field.body)) { kept += all[field.range] }
        last = field.range.upperBound
      }
      // The blank line.
      kept += all[last..<end]
    }
    self.fields = fields
    if isQuoted { kept = FromQuoting.convert(kept, .remove) }
    kept.withUnsafeBytes { ends.convert($0, into: &output) }
    bytes.withUnsafeBytes { readBody(UnsafeRawBufferPointer(rebasing: $0[end...]), into: &output) }
  }

  private mutating func readBody(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    guard isQuoted else { return ends.convert(bytes, into: &output) }
    var plain: [UInt8] = []
    plain.reserveCapacity(bytes.count)
    quoting.convert(bytes, into: &plain)
    plain.withUnsafeBytes { ends.convert($0, into: &output) }
  }

  /// Behind the blank line, if that is there.
  private static func endOfHeader(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var start = 0
    while let feed = bytes.firstIndex(of: 0x0A, from: start) {
      if feed == start || feed == start + 1 && bytes[start] == 0x0D { return feed + 1 }
      start = feed + 1
    }
    return nil
  }
}
