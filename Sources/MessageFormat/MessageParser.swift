import Bytes

/// One pass over a message: headers field by field, bodies line by line while a boundary may come, else by `memchr`.
///
/// A delimiter line of any enclosing multipart ends all parts inside it, so a multipart without its closing line, or a
/// part without a blank line after its header, ends where its parent says.  RFC 2046 §5.1.
struct MessageParser {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// Line ends in front of `position`.
  private var lines = 0
  /// Boundaries of the multiparts around `position`, the innermost last.
  private var boundaries: [[UInt8]] = []
  /// The delimiter line at `position`, found and not yet taken by its multipart.
  private var delimiter: Delimiter?
  private var partCount = 0
  private var addressBudget = MessageLimits.addresses

  private struct Delimiter {
    /// Its place in `boundaries`.
    var level: Int
    var isClosing: Bool
    /// Where the line after it begins.
    var next: Int
  }

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func parseMessage(depth: Int = 0) -> MessageStructure {
    var header = ParsedHeader()
    let part = parsePart(depth: depth, insideDigest: false, envelope: true, &header)
    return MessageStructure(envelope: header.envelope, root: part)
  }

  // MARK: Parts

  private mutating func parsePart(
    depth: Int, insideDigest: Bool, envelope: Bool, _ header: inout ParsedHeader
  ) -> MessagePart {
    partCount += 1
    let start = position
    parseHeader(envelope: envelope, &header)
    var part = MessagePart(headerRange: start..<position, bodyRange: position..<position)
    let firstLine = lines
    header.describe(&part, insideDigest: insideDigest)
    parseContent(&part, boundary: header.boundary, depth: depth)

    // The line end before a delimiter belongs to the delimiter, unless it ends a header in here that has no blank line.
    var end = position
    var last = lines
    if delimiter != nil, end > part.content.end ?? part.bodyRange.lowerBound, bytes[end - 1] == 0x0A {
      end -= 1
      last -= 1
      if end > part.bodyRange.lowerBound, bytes[end - 1] == 0x0D { end -= 1 }
    }
    part.bodyRange = part.bodyRange.lowerBound..<end
    part.lineCount = last - firstLine
    return part
  }

  private mutating func parseContent(_ part: inout MessagePart, boundary: [UInt8]?, depth: Int) {
    let isMultipart = part.type == Self.multipart
    let isMessage =
      part.type == Self.message && (part.subtype == Self.rfc822 || part.subtype == Self.global)
    guard isMultipart || isMessage else { return skipBody() }
    if depth >= MessageLimits.depth || partCount >= MessageLimits.parts {
      makeOpaque(&part)
      return skipBody()
    }
    if isMessage {
      // A message in base64 is against RFC 2046 §5.2.1; its bytes are no message.
      guard part.encoding != Self.base64, part.encoding != Self.quotedPrintable else {
        makeOpaque(&part)
        return skipBody()
      }
      part.content = .message(parseMessage(depth: depth + 1))
      return
    }
    guard let boundary, 1...MessageLimits.boundary ~= boundary.count else {
      part.type = Self.text
      part.subtype = Self.plain
      return skipBody()
    }
    parseMultipart(&part, boundary: boundary, depth: depth)
  }

  private func makeOpaque(_ part: inout MessagePart) {
    part.type = Array("application".utf8)
    part.subtype = Array("octet-stream".utf8)
  }

  private mutating func parseMultipart(_ part: inout MessagePart, boundary: [UInt8], depth: Int) {
    let level = boundaries.count
    boundaries.append(boundary)
    let bodyStart = position
    let firstLine = lines
    let isDigest = part.subtype == Self.digest
    var children: [MessagePart] = []
    skipBody()
    while let found = delimiter, found.level == level {
      delimiter = nil
      position = found.next
      if bytes[position - 1] == 0x0A { lines += 1 }
      if found.isClosing || partCount >= MessageLimits.parts {
        // The epilogue, and parts beyond the bound.
        boundaries.removeLast()
        skipBody()
        boundaries.append(boundary)
        break
      }
      var header = ParsedHeader()
      children.append(parsePart(depth: depth + 1, insideDigest: isDigest, envelope: false, &header))
    }
    boundaries.removeLast()
    if children.isEmpty {
      // No delimiter at all: what is there is shown as text, so that it is not lost to the reader.
      var only = MessagePart(headerRange: bodyStart..<bodyStart, bodyRange: bodyStart..<position)
      only.lineCount = lines - firstLine
      if delimiter != nil, position > bodyStart, bytes[position - 1] == 0x0A {
        let end = position - (position - 1 > bodyStart && bytes[position - 2] == 0x0D ? 2 : 1)
        only.bodyRange = bodyStart..<end
        only.lineCount -= 1
      }
      children = [only]
    }
    part.content = .multipart(children)
  }

  // MARK: Lines

  /// Moves to the next delimiter line of any multipart around, or to the end.
  private mutating func skipBody() {
    guard delimiter == nil else { return }
    guard !boundaries.isEmpty else {
      lines += bytes.countOccurrences(of: 0x0A, in: position..<bytes.count)
      position = bytes.count
      return
    }
    while position < bytes.count {
      if isAtDelimiter() { return }
      guard let newline = bytes.firstIndex(of: 0x0A, from: position) else {
        position = bytes.count
        return
      }
      position = newline &+ 1
      lines &+= 1
    }
  }

  /// True, with `delimiter` set, if the line at `position` is `--boundary` or `--boundary--`.  RFC 2046 §5.1.1.
  private mutating func isAtDelimiter() -> Bool {
    guard position &+ 2 < bytes.count, bytes[position] == 0x2D, bytes[position &+ 1] == 0x2D else { return false }
    let start = position + 2
    for level in boundaries.indices.reversed() {
      let boundary = boundaries[level]
      guard start + boundary.count <= bytes.count,
        boundary.withUnsafeBytes({ boundary in
          boundary.elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[start..<start + boundary.count]))
        })
      else { continue }
      var index = start + boundary.count
      let isClosing = index + 1 < bytes.count && bytes[index] == 0x2D && bytes[index + 1] == 0x2D
      if !isClosing {
        while index < bytes.count, bytes[index].isIn(.wsp) || bytes[index] == 0x0D { index += 1 }
        guard index == bytes.count || bytes[index] == 0x0A else { continue }
      }
      let next = bytes.firstIndex(of: 0x0A, from: index).map { $0 + 1 } ?? bytes.count
      delimiter = Delimiter(level: level, isClosing: isClosing, next: next)
      return true
    }
    return false
  }

  /// Reads fields up to and with the blank line, or to a delimiter line where the blank line is missing.
  private mutating func parseHeader(envelope: Bool, _ header: inout ParsedHeader) {
    var fields = HeaderFields(bytes, in: position..<bytes.count)
    while true {
      if !boundaries.isEmpty, fields.position < bytes.count, bytes[fields.position] == 0x2D {
        position = fields.position
        if isAtDelimiter() { break }
      }
      guard let field = fields.next() else { break }
      header.read(field, of: bytes, envelope: envelope, addressBudget: &addressBudget)
    }
    position = fields.position
    lines += fields.lineCount
  }

  private static let text = Array("text".utf8)
  private static let plain = Array("plain".utf8)
  private static let multipart = Array("multipart".utf8)
  private static let message = Array("message".utf8)
  private static let rfc822 = Array("rfc822".utf8)
  private static let global = Array("global".utf8)
  private static let digest = Array("digest".utf8)
  private static let base64 = Array("base64".utf8)
  private static let quotedPrintable = Array("quoted-printable".utf8)
}

extension MessagePart.Content {
  /// Where the last part in here ends.
  fileprivate var end: Int? {
    switch self {
    case .leaf: nil
    case .multipart(let children): children.last?.bodyRange.upperBound
    case .message(let structure): structure.root.bodyRange.upperBound
    }
  }
}

extension MessageStructure {
  /// Parses a whole message. Never fails: what cannot be understood is `text/plain` (RFC 2045 §5.2) or left out.
  /// Depth, number of parts and of addresses are bounded (`MessageLimits`); beyond a bound a part is opaque.
  package init(parsing message: UnsafeRawBufferPointer) {
    var parser = MessageParser(message)
    self = parser.parseMessage()
  }

  package init(parsing message: [UInt8]) {
    self = message.withUnsafeBytes { MessageStructure(parsing: $0) }
  }
}
