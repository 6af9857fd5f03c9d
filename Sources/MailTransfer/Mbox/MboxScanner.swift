import Bytes
import MessageFormat

/// Finds the messages of an mbox, one after the other, without keeping any of them in memory.
struct MboxScanner {
  struct Found: Equatable {
    var from: FromLine
    /// Where the message is in the file, without its `From ` line and the empty line behind it.
    var range: Range<Int64>
    /// A `>` before `From ` is the mbox's. Not where the length is given by Content-Length: who writes that does not
    /// quote.
    var isQuoted: Bool
  }

  private let file: any ByteSource
  private var position: Int64 = 0

  private static let window = 256 << 10
  private static let lineLimit = 1_024
  /// How much of a header is looked at for Content-Length.
  private static let headerLimit = 64 << 10

  init(_ file: any ByteSource) { self.file = file }

  /// Nil at the end. A file that does not begin with a message's first line has none.
  mutating func next() throws(TransferError) -> Found? {
    guard position < file.size, let (from, start) = try fromLine(at: position) else { return nil }
    if let (end, next) = try endByLength(start) {
      position = next
      return Found(from: from, range: start..<end, isQuoted: false)
    }
    // The line end before the next `From ` may be that of our own first line: a message may be empty.
    let (end, next) = try endBySearch(start - 1)
    position = next
    return Found(from: from, range: start..<max(start, end), isQuoted: true)
  }

  /// The `From ` line at an offset, and where the next line begins.
  private func fromLine(at offset: Int64) throws(TransferError) -> (FromLine, Int64)? {
    let bytes = try file.read(Self.lineLimit, at: offset)
    let end = bytes.firstIndex(of: 0x0A)
    guard end != nil || bytes.count < Self.lineLimit, let from = FromLine(bytes[..<(end ?? bytes.count)]) else {
      return nil
    }
    return (from, offset + Int64(end.map { $0 + 1 } ?? bytes.count))
  }

  /// Where the message ends by its Content-Length, if another begins there or the file ends.
  private func endByLength(_ start: Int64) throws(TransferError) -> (end: Int64, next: Int64)? {
    let head = try file.read(Self.headerLimit, at: start)
    let (length, headerEnd) = head.withUnsafeBytes { bytes in
      var length: Int?
      var fields = HeaderFields(bytes)
      var last = 0
      while let field = fields.next() {
        if bytes.equals("content-length", in: field.name) {
          length = Int(String(decoding: HeaderFields.unfolded(bytes, field.body), as: UTF8.self))
        }
        last = field.range.upperBound
      }
      return (length, fields.position > last ? fields.position : nil)
    }
    guard let length, let headerEnd, length >= 0, Int64(length) <= file.size - start - Int64(headerEnd) else {
      return nil
    }
    let end = start + Int64(headerEnd) + Int64(length)
    let tail = try file.read(3, at: end)
    for gap in ["", "\n", "\r\n"] where tail.starts(with: gap.utf8) {
      let next = end + Int64(gap.utf8.count)
      if next == file.size { return (end, next) }
      if try fromLine(at: next) != nil { return (end, next) }
    }
    return nil
  }

  /// Where the next `From ` line is, at or behind the line end at `start`.
  private func endBySearch(_ start: Int64) throws(TransferError) -> (end: Int64, next: Int64) {
    let needle = Array("\nFrom ".utf8)
    var offset = start
    while offset < file.size {
      let bytes = try file.read(Self.window, at: offset)
      var from = 0
      while let hit = bytes.firstIndex(of: needle, from: from) {
        let next = offset + Int64(hit) + 1
        if try fromLine(at: next) != nil { return (try withoutBlankLine(start, next), next) }
        from = hit + 1
      }
      guard bytes.count == Self.window else { break }
      // The needle may lie over the edge.
      offset += Int64(bytes.count - needle.count + 1)
    }
    return (try withoutBlankLine(start, file.size), file.size)
  }

  /// The writer ends a message with an empty line that is not part of it.
  private func withoutBlankLine(_ start: Int64, _ end: Int64) throws(TransferError) -> Int64 {
    let length = Int(min(4, end - start))
    let tail = try file.read(length, at: end - Int64(length))
    if tail.suffix(4).elementsEqual("\r\n\r\n".utf8) { return end - 2 }
    if tail.suffix(2).elementsEqual("\n\n".utf8) { return end - 1 }
    return end
  }
}

/// What a scanner reads.
protocol ByteSource {
  var size: Int64 { get }
  /// Up to `count` octets from `offset`; fewer only at the end.
  func read(_ count: Int, at offset: Int64) throws(TransferError) -> [UInt8]
}

extension InputFile: ByteSource {}

extension [UInt8]: ByteSource {
  var size: Int64 { Int64(count) }
  func read(_ count: Int, at offset: Int64) -> [UInt8] {
    let start = Swift.min(Swift.max(Int(offset), 0), self.count)
    return Array(self[start..<Swift.min(self.count, start + count)])
  }
}

extension [UInt8] {
  fileprivate func firstIndex(of needle: [UInt8], from start: Int) -> Int? {
    withUnsafeBytes { haystack in needle.withUnsafeBytes { haystack.firstIndex(of: $0, from: start) } }
  }
}
