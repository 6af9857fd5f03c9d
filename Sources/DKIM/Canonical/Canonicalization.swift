import Bytes
import MessageFormat

/// The two forms in which a header or a body is signed.  RFC 6376 §3.4.
package enum Canonicalization: String, Hashable, Sendable, CaseIterable {
  /// As it stands.
  case simple
  /// White space and case may change on the way.
  case relaxed
}

extension Canonicalization {
  /// Appends a header field in this form, its CRLF included.  RFC 6376 §3.4.1, §3.4.2.
  func append(_ field: HeaderField, of bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    switch self {
    case .simple:
      output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[field.name.lowerBound..<field.body.upperBound]))
    case .relaxed:
      for index in field.name { output.append(bytes[index].asciiLowercased) }
      output.append(0x3A)
      Self.appendRelaxed(UnsafeRawBufferPointer(rebasing: bytes[field.body]), to: &output)
    }
    output.append(literal: "\r\n")
  }

  /// Unfolded, each run of white space one space, none at either end. A bare LF folds as CRLF does, as
  /// `HeaderFields` reads it; a bare CR is an octet as any other.
  private static func appendRelaxed(_ body: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    var isAfterSpace = false
    var isAtStart = true
    var position = 0
    while position < body.count {
      let byte = body[position]
      if isFold(body, position) {
        position &+= 1
        continue
      }
      if byte == 0x20 || byte == 0x09 {
        isAfterSpace = true
        position &+= 1
        continue
      }
      if isAfterSpace, !isAtStart { output.append(0x20) }
      isAfterSpace = false
      isAtStart = false
      var end = position &+ 1
      while end < body.count, body[end] > 0x20 { end &+= 1 }
      output.append(contentsOf: UnsafeRawBufferPointer(rebasing: body[position..<end]))
      position = end
    }
  }

  /// An LF, or a CR before one.
  @inline(__always)
  private static func isFold(_ body: UnsafeRawBufferPointer, _ position: Int) -> Bool {
    body[position] == 0x0A || body[position] == 0x0D && position &+ 1 < body.count && body[position &+ 1] == 0x0A
  }
}
