import Bytes

/// Turns the octets of a message into what goes over the wire: dot-stuffed, ended by a line end and the final dot, the whole
/// or (TOP) its header and some lines. It is fed chunks and keeps only what it must know across their borders.
struct MessageTransmission {
  /// Lines of the body still to be sent; nil for all.
  private var bodyLines: Int?
  private var isInHeader = true
  /// Octets of the current line so far, and the first of them: a line is blank if it is empty or a lone CR.
  private var lineLength = 0
  private var lineStart: UInt8 = 0
  /// True where a dot would be the first octet of a line.
  private var isAtLineStart = true
  private(set) var isComplete = false

  /// - Parameter bodyLines: how many lines of the body; nil for the whole message.
  init(bodyLines: Int? = nil) { self.bodyLines = bodyLines }

  /// Appends what is to be sent of `chunk`.
  mutating func append(_ chunk: [UInt8], to output: inout [UInt8]) {
    chunk.withUnsafeBytes { bytes in
      let end = scan(bytes)
      stuff(UnsafeRawBufferPointer(rebasing: bytes[..<end]), to: &output)
    }
  }

  /// Ends the message. A message that is all header gets the blank line that ends a header: Outlook misses it otherwise.
  mutating func finish(_ output: inout [UInt8]) {
    if lineLength > 0 { output.append(literal: "\r\n") }
    if isInHeader { output.append(literal: "\r\n") }
    output.append(literal: ".\r\n")
  }

  /// Follows the lines of a chunk; returns how much of it is to be sent.
  private mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard !isComplete else { return 0 }
    var position = 0
    while isInHeader {
      guard let lineFeed = bytes.firstIndex(of: 0x0A, from: position) else {
        advanceLine(bytes, position..<bytes.count)
        return bytes.count
      }
      advanceLine(bytes, position..<lineFeed)
      isInHeader = !(lineLength == 0 || (lineLength == 1 && lineStart == 0x0D))
      lineLength = 0
      position = lineFeed + 1
    }
    guard var left = bodyLines else {
      // The usual case looks at the last line only.
      if position < bytes.count {
        lineLength = bytes[bytes.count - 1] == 0x0A ? 0 : 1
        lineStart = 0
      }
      return bytes.count
    }
    while left > 0 {
      guard let lineFeed = bytes.firstIndex(of: 0x0A, from: position) else {
        advanceLine(bytes, position..<bytes.count)
        bodyLines = left
        return bytes.count
      }
      lineLength = 0
      left -= 1
      position = lineFeed + 1
    }
    bodyLines = 0
    isComplete = true
    return position
  }

  private mutating func advanceLine(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    if lineLength == 0, !range.isEmpty { lineStart = bytes[range.lowerBound] }
    lineLength += range.count
  }

  /// Doubles a dot at the beginning of a line (RFC 1939 §3), also after a bare LF, where most clients see a line too.
  /// A NUL becomes 0x80: Outlook stops at it. Both keep their place, so sizes stay what LIST says.
  private mutating func stuff(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    let start = output.count
    // A dot is rare in base64 and in text rarer than a line end: so dots are searched, and what is before them looked at.
    var copied = 0
    var position = 0
    while let dot = bytes.firstIndex(of: 0x2E, from: position) {
      position = dot + 1
      guard dot == 0 ? isAtLineStart : bytes[dot - 1] == 0x0A else { continue }
      output.append(contentsOf: bytes[copied..<dot])
      output.append(0x2E)
      copied = dot
    }
    output.append(contentsOf: bytes[copied...])
    isAtLineStart = bytes[bytes.count - 1] == 0x0A
    guard bytes.firstIndex(of: 0) != nil else { return }
    for index in start..<output.count where output[index] == 0 { output[index] = 0x80 }
  }
}
