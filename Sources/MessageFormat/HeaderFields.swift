import Bytes

/// Where a header field is in the bytes that were scanned.
package struct HeaderField: Hashable, Sendable {
  /// The whole field with its line ends.
  package var range: Range<Int>
  /// The name; empty for a line that is no field.
  package var name: Range<Int>
  /// What follows the colon, still folded, without the last line end.
  package var body: Range<Int>
}

/// The fields of a header, one after the other, as they stand.  RFC 5322 §2.2.
///
/// Takes LF for a line end as well as CRLF. Lines that are no field come out with an empty name. Ends at the blank line
/// or the end of the bytes; `position` is then where the body begins.
package struct HeaderFields: Sequence, IteratorProtocol {
  private let bytes: UnsafeRawBufferPointer
  private let end: Int
  package private(set) var position: Int
  /// Line ends passed so far, that of the blank line included.
  package private(set) var lineCount = 0
  private var isFinished = false

  /// - Parameter range: where the header begins, and where at the latest it ends; all of `bytes` if nil.
  package init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>? = nil) {
    self.bytes = bytes
    let range = (range ?? 0..<bytes.count).clamped(to: 0..<bytes.count)
    position = range.lowerBound
    end = range.upperBound
  }

  package mutating func next() -> HeaderField? {
    guard !isFinished, position < end else { return nil }
    let start = position
    if bytes[start] == 0x0A || bytes[start] == 0x0D && start &+ 1 < end && bytes[start &+ 1] == 0x0A {
      position = start &+ (bytes[start] == 0x0A ? 1 : 2)
      lineCount &+= 1
      isFinished = true
      return nil
    }
    // A line that begins with white space goes on with the field.  RFC 5322 §2.2.3.
    var next = start
    repeat {
      if let newline = bytes.firstIndex(of: 0x0A, in: next..<end) {
        next = newline &+ 1
        lineCount &+= 1
      } else {
        next = end
      }
    } while next < end && (bytes[next] == 0x20 || bytes[next] == 0x09)
    position = next

    var bodyEnd = next
    if bytes[bodyEnd &- 1] == 0x0A { bodyEnd &-= 1 }
    if bodyEnd > start, bytes[bodyEnd &- 1] == 0x0D { bodyEnd &-= 1 }
    var nameEnd = start
    while nameEnd < bodyEnd, bytes[nameEnd].isIn(.ftext) { nameEnd &+= 1 }
    // RFC 5322 §4.5: obsolete syntax has white space before the colon.
    var colon = nameEnd
    while colon < bodyEnd, bytes[colon].isIn(.wsp) { colon &+= 1 }
    guard nameEnd > start, colon < bodyEnd, bytes[colon] == 0x3A else {
      return HeaderField(range: start..<next, name: start..<start, body: start..<bodyEnd)
    }
    return HeaderField(range: start..<next, name: start..<nameEnd, body: colon &+ 1..<bodyEnd)
  }
}

extension HeaderFields {
  /// Where the body begins: behind the blank line, or at the end where there is none.
  package static func headerEnd(in bytes: UnsafeRawBufferPointer) -> Int {
    var fields = HeaderFields(bytes)
    while fields.next() != nil {}
    return fields.position
  }

  /// The unfolded body of the first field called `name` (compared without regard to case); nil if there is none.
  package static func first(_ name: StaticString, in message: [UInt8]) -> [UInt8]? {
    message.withUnsafeBytes { bytes in
      for field in HeaderFields(bytes) where bytes.equals(name, in: field.name) {
        return unfolded(bytes, field.body)
      }
      return nil
    }
  }

  /// The number of fields called `name`. Counting `Received` finds loops.  RFC 5321 §6.3.
  package static func count(_ name: StaticString, in message: [UInt8]) -> Int {
    message.withUnsafeBytes { bytes in
      var count = 0
      for field in HeaderFields(bytes) where bytes.equals(name, in: field.name) { count += 1 }
      return count
    }
  }

  /// A field body without its line ends and NULs, and without white space around it; where it was folded there is one
  /// space, because the tab or the many spaces that programs fold with mean no more.  RFC 5322 §2.2.3.
  package static func unfolded(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, limit: Int = MessageLimits.fieldBody
  ) -> [UInt8] {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, isSpace(bytes[start]) { start &+= 1 }
    while end > start, isSpace(bytes[end &- 1]) { end &-= 1 }
    end = Swift.min(end, start &+ limit)
    let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    if line.firstIndex(of: 0x0A) == nil, line.firstIndex(of: 0x0D) == nil, line.firstIndex(of: 0) == nil {
      return Array(line)
    }
    var text: [UInt8] = []
    text.reserveCapacity(line.count)
    var isAfterFold = false
    for byte in line {
      switch byte {
      case 0x0A, 0x0D:
        while let last = text.last, last.isIn(.wsp) { text.removeLast() }
        isAfterFold = true
      case 0x00: break
      case 0x20 where isAfterFold, 0x09 where isAfterFold: break
      default:
        if isAfterFold { text.append(0x20) }
        isAfterFold = false
        text.append(byte)
      }
    }
    return text
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
}
