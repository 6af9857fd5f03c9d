import Bytes

/// Takes a message apart while it comes in, cut anywhere: headers as wholes, bodies as they come, and what stands between.
/// Holds a header and a line at most.  RFC 2046 §5.1.
struct EntityWalk {
  enum Event {
    /// A header with the empty line that ends it, where there is one, and what it begins.
    case header([UInt8], Entity)
    /// Of the entity whose header came last.
    case body(ArraySlice<UInt8>)
    /// Delimiter lines with the line end before them, what stands before the first and behind the last.
    case between(ArraySlice<UInt8>)
  }

  /// What a header begins.
  struct Entity {
    enum Kind {
      case leaf
      /// Multiparts, and messages as parts.
      case composite
      /// Nobody may encode it: `message/partial` and the like, an encoding that is not known here.
      case opaque
    }

    var kind: Kind
    /// Within `multipart/signed`: no octet may change.
    var isSigned: Bool
    var part: MessagePart
    var hasContentType: Bool
    var isMessage: Bool
  }

  private struct Multipart {
    var boundary: [UInt8]
    var isSigned: Bool
    var isDigest: Bool
  }

  private enum State {
    case header
    case body
    case between
  }

  private var state = State.header
  private var header: [UInt8] = []
  private var isInMessageHeader = true
  private var multiparts: [Multipart] = []
  private var entityCount = 0
  /// What has come and is no whole line yet.
  private var held: [UInt8] = []
  /// Of the line before: it belongs to the delimiter, if one follows.
  private var lineEnd: [UInt8] = []
  /// The beginning of the line has been given out.
  private var isInsideLine = false

  /// Longer lines are no delimiters.
  private static let longestDelimiter = MessageLimits.boundary + 1_000

  mutating func walk(
    _ bytes: [UInt8], isLast: Bool = false, _ take: (Event) throws(SevenBitError) -> Void
  ) throws(SevenBitError) {
    let input = held.isEmpty ? bytes : held + bytes
    held = []
    var position = 0
    while position < input.count {
      if multiparts.isEmpty, state != .header {
        try give(input[position...], take)
        return
      }
      let newline = input.withUnsafeBytes { $0.firstIndex(of: 0x0A, from: position) }
      guard let newline else { break }
      try takeLine(input[position...newline], take)
      position = newline + 1
    }
    var rest = input[position...]
    if isLast {
      if !rest.isEmpty { try takeLine(rest, take) }
      if state == .header { try endHeader(take) }
      try giveLineEnd(take)
    } else {
      // A long line is given out as it comes, but for a CR that may end it.
      if state != .header, isInsideLine || rest.count > Self.longestDelimiter {
        let given = rest.last == 0x0D ? rest.dropLast() : rest
        try giveLineEnd(take)
        try give(given, take)
        isInsideLine = true
        rest = rest[given.endIndex...]
      }
      guard rest.count <= MessageLimits.header else { throw .tooComplex }
      held = Array(rest)
    }
  }

  private mutating func takeLine(
    _ line: ArraySlice<UInt8>, _ take: (Event) throws(SevenBitError) -> Void
  ) throws(SevenBitError) {
    if !isInsideLine, let (level, isClosing) = delimiter(line) {
      if state == .header { try endHeader(take) }
      try take(.between(lineEnd + line))
      lineEnd = []
      multiparts.removeSubrange((level + 1)...)
      if isClosing { multiparts.removeLast() }
      state = isClosing ? .between : .header
      isInMessageHeader = false
      return
    }
    guard state == .header else {
      try giveLineEnd(take)
      let ending = line.last == 0x0A ? (line.dropLast().last == 0x0D ? 2 : 1) : 0
      try give(line.dropLast(ending), take)
      lineEnd = Array(line.suffix(ending))
      isInsideLine = false
      return
    }
    header += line
    guard header.count <= MessageLimits.header else { throw .tooComplex }
    if line.count <= 2, line.last == 0x0A, line.count == 1 || line.first == 0x0D { try endHeader(take) }
  }

  private mutating func endHeader(_ take: (Event) throws(SevenBitError) -> Void) throws(SevenBitError) {
    entityCount += 1
    guard entityCount <= MessageLimits.parts, multiparts.count <= MessageLimits.depth else { throw .tooComplex }
    let (entity, boundary) = entity()
    let bytes = header
    header = []
    try take(.header(bytes, entity))
    if let boundary {
      multiparts.append(
        Multipart(
          boundary: boundary,
          isSigned: entity.isSigned || entity.part.subtype.equalsIgnoringASCIICase("signed"),
          isDigest: entity.part.subtype.equalsIgnoringASCIICase("digest")))
      state = .between
    } else if entity.kind == .composite {
      state = .header
      isInMessageHeader = true
    } else {
      state = .body
    }
  }

  private func entity() -> (Entity, boundary: [UInt8]?) {
    var parsed = ParsedHeader()
    var part = MessagePart(headerRange: 0..<header.count, bodyRange: header.count..<header.count)
    var hasContentType = false
    header.withUnsafeBytes { bytes in
      var budget = 0
      for field in HeaderFields(bytes) {
        parsed.read(field, of: bytes, envelope: false, addressBudget: &budget)
        if bytes.equals("content-type", in: field.name) { hasContentType = true }
      }
    }
    parsed.describe(&part, insideDigest: !isInMessageHeader && multiparts.last?.isDigest == true)
    let isMultipart = part.type.equalsIgnoringASCIICase("multipart")
    let boundary = isMultipart ? parsed.boundary.flatMap { 1...MessageLimits.boundary ~= $0.count ? $0 : nil } : nil
    let entity = Entity(
      kind: isMultipart ? (boundary == nil ? .opaque : .composite) : kind(of: part),
      isSigned: multiparts.contains(where: \.isSigned), part: part, hasContentType: hasContentType,
      isMessage: isInMessageHeader)
    return (entity, boundary)
  }

  private func kind(of part: MessagePart) -> Entity.Kind {
    if part.transferEncoding == .unknown { return .opaque }
    guard part.type.equalsIgnoringASCIICase("message") else { return .leaf }
    if part.subtype.equalsIgnoringASCIICase("rfc822") {
      // In base64 it is against RFC 2046 §5.2.1, and in 7 bits all the same.
      return part.transferEncoding == .identity ? .composite : .leaf
    }
    let isBound =
      part.subtype.equalsIgnoringASCIICase("partial") || part.subtype.equalsIgnoringASCIICase("external-body")
    return isBound ? .opaque : .leaf
  }

  private func give(
    _ bytes: ArraySlice<UInt8>, _ take: (Event) throws(SevenBitError) -> Void
  ) throws(SevenBitError) {
    guard !bytes.isEmpty else { return }
    try take(state == .body ? .body(bytes) : .between(bytes))
  }

  private mutating func giveLineEnd(_ take: (Event) throws(SevenBitError) -> Void) throws(SevenBitError) {
    try give(lineEnd[...], take)
    lineEnd = []
  }

  /// The multipart whose delimiter the line is, the innermost first.
  private func delimiter(_ line: ArraySlice<UInt8>) -> (level: Int, isClosing: Bool)? {
    guard line.count > 2, line.first == 0x2D, line[line.startIndex + 1] == 0x2D else { return nil }
    let text = line.dropFirst(2)
    for level in multiparts.indices.reversed() where text.starts(with: multiparts[level].boundary) {
      let rest = text.dropFirst(multiparts[level].boundary.count)
      if rest.starts(with: [0x2D, 0x2D]) { return (level, true) }
      if rest.allSatisfy({ $0.isIn(.wsp) || $0 == 0x0D || $0 == 0x0A }) { return (level, false) }
    }
    return nil
  }
}

/// Why a message can't be written in 7 bits.
package enum SevenBitError: Error, Hashable, Sendable {
  /// What is signed would no longer be what was signed.  RFC 1847 §2.1.
  case signed
  /// A part that must not be encoded, or whose encoding is not known.  RFC 2046 §5.2.2, §5.2.3.
  case opaque
  /// A header, or a number of parts, beyond every use.
  case tooComplex
}
