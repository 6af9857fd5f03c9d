import Bytes

/// A structure as the store keeps it. FETCH writes its answers straight from this; what needs the tree makes a
/// `MessageStructure` of it.
package struct EncodedStructure: Hashable, Sendable {
  package let bytes: [UInt8]

  static let version: UInt8 = 1

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Gives a reader at the envelope of the message. Nil for bytes of an unknown version or damaged ones.
  package func read<Result>(
    _ body: (inout StructureReader) throws(StructureReader.Damaged) -> Result
  ) -> Result? {
    bytes.withUnsafeBytes { bytes in
      guard bytes.first == Self.version else { return nil }
      var reader = StructureReader(bytes: bytes, position: 1)
      return try? body(&reader)
    }
  }

  /// Where the message's header and body are; nil where the bytes are damaged. Much cheaper than the whole tree.
  package var rootRanges: (header: Range<Int>, body: Range<Int>)? {
    bytes.withUnsafeBytes { bytes in
      guard bytes.first == Self.version else { return nil }
      var reader = StructureReader(bytes: bytes, position: 1)
      guard (try? reader.skipEnvelope()) != nil, let root = try? reader.part() else { return nil }
      let bodyStart = root.headerOffset + root.headerSize
      return (root.headerOffset..<bodyStart, bodyStart..<bodyStart + root.bodySize)
    }
  }
}

/// Reads the encoding in place, in the order in which it was written: an envelope, then the root part, then what is
/// inside it, depth first. What it gives out is memory of the encoding, valid inside `EncodedStructure.read` only.
package struct StructureReader {
  /// The bytes are not what `MessageStructure.encoded()` writes.
  package struct Damaged: Error {
    package init() {}
  }

  /// Parts inside parts in a structure that is not damaged.
  package static let depthLimit = 2 * MessageLimits.depth + 2

  /// A part without what is inside it, which the reader is at when this has been read.
  package struct Part {
    /// How far after the first byte of the part around its header begins (for a root: of the message).
    var headerOffset: Int
    var headerSize: Int
    /// Octets of the body.
    package var bodySize: Int
    package var lineCount: Int
    package var type: UnsafeRawBufferPointer
    package var subtype: UnsafeRawBufferPointer
    package var encoding: UnsafeRawBufferPointer
    package var parameters: Parameters
    package var id: UnsafeRawBufferPointer?
    package var description: UnsafeRawBufferPointer?
    package var md5: UnsafeRawBufferPointer?
    package var disposition: UnsafeRawBufferPointer?
    package var dispositionParameters = Parameters.none
    package var languages = Texts.none
    package var location: UnsafeRawBufferPointer?
    package var content: Content

    package var isText: Bool { type.elementsEqual("text".utf8) }
  }

  /// What follows a part.
  package enum Content {
    case leaf
    /// So many parts, at least one.
    case multipart(Int)
    /// The envelope of the message inside, then its root.
    case message
  }

  /// Parameters still to be read.
  package struct Parameters {
    package let count: Int
    fileprivate let position: Int
    package static let none = Parameters(count: 0, position: 0)
  }

  /// Texts still to be read.
  package struct Texts {
    package let count: Int
    fileprivate let position: Int
    package static let none = Texts(count: 0, position: 0)
  }

  package typealias Address = (
    name: UnsafeRawBufferPointer?, route: UnsafeRawBufferPointer?, mailbox: UnsafeRawBufferPointer?,
    host: UnsafeRawBufferPointer?
  )

  fileprivate let bytes: UnsafeRawBufferPointer
  fileprivate var position: Int

  // MARK: Elements

  /// A number below 2⁴⁸, so that no sum of some of them overflows.
  fileprivate mutating func number() throws(Damaged) -> Int {
    var value = 0
    var shift = 0
    while position < bytes.count, shift < 49 {
      let byte = bytes[position]
      position &+= 1
      value |= Int(byte & 0x7F) << shift
      if byte < 0x80 {
        guard value < 1 << 48 else { throw Damaged() }
        return value
      }
      shift &+= 7
    }
    throw Damaged()
  }

  /// A number of things that take at least one byte each.
  package mutating func count() throws(Damaged) -> Int {
    let count = try number()
    guard count <= bytes.count - position else { throw Damaged() }
    return count
  }

  private mutating func slice(_ count: Int) throws(Damaged) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - position else { throw Damaged() }
    defer { position &+= count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position &+ count])
  }

  /// Nil where the field is absent.
  package mutating func text() throws(Damaged) -> UnsafeRawBufferPointer? {
    let length = try number()
    return length == 0 ? nil : try slice(length - 1)
  }

  private mutating func word() throws(Damaged) -> UnsafeRawBufferPointer {
    let index = try number()
    if index == 0 { return try slice(try number()) }
    guard let word = MIMEToken.memory(at: index - 1) else { throw Damaged() }
    return word
  }

  /// One of `count()` addresses.
  package mutating func address() throws(Damaged) -> Address { (try text(), try text(), try text(), try text()) }

  /// Goes over what `MIMEParameter`s are next.
  private mutating func skipParameters() throws(Damaged) -> Parameters {
    let count = try count()
    let start = position
    for _ in 0..<count {
      _ = try word()
      _ = try word()
    }
    return Parameters(count: count, position: start)
  }

  // MARK: Parts

  /// A part; the reader is then at what is inside it.
  package mutating func part() throws(Damaged) -> Part {
    var part = Part(
      headerOffset: try number(), headerSize: try number(), bodySize: try number(), lineCount: try number(),
      type: try word(), subtype: try word(), encoding: try word(), parameters: try skipParameters(), content: .leaf)
    let tag = try number()
    if tag & 1 != 0 { part.id = try text() }
    if tag & 2 != 0 { part.description = try text() }
    if tag & 4 != 0 { part.md5 = try text() }
    if tag & 8 != 0 {
      part.disposition = try text()
      part.dispositionParameters = try skipParameters()
    }
    if tag & 16 != 0 {
      let count = try count()
      part.languages = Texts(count: count, position: position)
      for _ in 0..<count { _ = try text() }
    }
    if tag & 32 != 0 { part.location = try text() }
    switch tag >> 6 {
    case 0: break
    case 1:
      let count = try count()
      guard count > 0 else { throw Damaged() }
      part.content = .multipart(count)
    case 2: part.content = .message
    default: throw Damaged()
    }
    return part
  }

  /// Goes over an envelope.
  package mutating func skipEnvelope() throws(Damaged) {
    for _ in 0..<2 { _ = try text() }
    for _ in 0..<6 { for _ in 0..<(try count()) { _ = try address() } }
    for _ in 0..<3 { _ = try text() }
  }

  /// Parameters of a part that has been read; the reader stays where it is.
  package func each(
    of parameters: Parameters, _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) throws(Damaged) {
    var reader = self
    reader.position = parameters.position
    for _ in 0..<parameters.count { body(try reader.word(), try reader.word()) }
  }

  /// Texts of a part that has been read; the reader stays where it is.
  package func each(of texts: Texts, _ body: (UnsafeRawBufferPointer) -> Void) throws(Damaged) {
    var reader = self
    reader.position = texts.position
    for _ in 0..<texts.count { body(try reader.text() ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
  }
}

// MARK: As values

extension MessageStructure {
  /// Reads what `encoded()` wrote. Returns nil for bytes of an unknown version or damaged ones.
  package init?(encoded: [UInt8]) { self.init(EncodedStructure(encoded)) }

  package init?(_ encoded: EncodedStructure) {
    let structure = encoded.read { (reader) throws(StructureReader.Damaged) in
      let structure = try reader.structure(base: 0, depth: 0)
      guard reader.position == reader.bytes.count else { throw StructureReader.Damaged() }
      return structure
    }
    guard let structure else { return nil }
    self = structure
  }
}

extension StructureReader {
  fileprivate mutating func structure(base: Int, depth: Int) throws(Damaged) -> MessageStructure {
    var envelope = Envelope()
    envelope.date = try text().map { Array($0) }
    envelope.subject = try text().map { Array($0) }
    envelope.from = try addresses()
    envelope.sender = try addresses()
    envelope.replyTo = try addresses()
    envelope.to = try addresses()
    envelope.cc = try addresses()
    envelope.bcc = try addresses()
    envelope.inReplyTo = try text().map { Array($0) }
    envelope.messageID = try text().map { Array($0) }
    envelope.references = try text().map { Array($0) }
    return MessageStructure(envelope: envelope, root: try part(base: base, depth: depth))
  }

  private mutating func addresses() throws(Damaged) -> [EnvelopeAddress] {
    let count = try count()
    guard count > 0 else { return [] }
    var list: [EnvelopeAddress] = []
    list.reserveCapacity(min(count, MessageLimits.addresses))
    for _ in 0..<count {
      let address = try address()
      list.append(
        EnvelopeAddress(
          name: address.name.map { Array($0) }, route: address.route.map { Array($0) },
          mailbox: address.mailbox.map { Array($0) }, host: address.host.map { Array($0) }))
    }
    return list
  }

  private func values(of parameters: Parameters) throws(Damaged) -> [MIMEParameter] {
    var list: [MIMEParameter] = []
    list.reserveCapacity(min(parameters.count, MessageLimits.parameters))
    try each(of: parameters) { name, value in
      list.append(MIMEParameter(name: MIMEToken.exact(name), value: MIMEToken.exact(value)))
    }
    return list
  }

  private mutating func part(base: Int, depth: Int) throws(Damaged) -> MessagePart {
    guard depth <= Self.depthLimit else { throw Damaged() }
    let read = try self.part()
    let start = base + read.headerOffset
    let bodyStart = start + read.headerSize
    // Offsets grow with each level; they stay far below the largest integer.
    guard bodyStart + read.bodySize < 1 << 56 else { throw Damaged() }
    var part = MessagePart(headerRange: start..<bodyStart, bodyRange: bodyStart..<bodyStart + read.bodySize)
    part.lineCount = read.lineCount
    part.type = MIMEToken.exact(read.type)
    part.subtype = MIMEToken.exact(read.subtype)
    part.encoding = MIMEToken.exact(read.encoding)
    part.parameters = try values(of: read.parameters)
    part.id = read.id.map { Array($0) }
    part.description = read.description.map { Array($0) }
    part.md5 = read.md5.map { Array($0) }
    part.disposition = read.disposition.map { Array($0) }
    part.dispositionParameters = try values(of: read.dispositionParameters)
    try each(of: read.languages) { part.languages.append(Array($0)) }
    part.location = read.location.map { Array($0) }
    switch read.content {
    case .leaf: break
    case .multipart(let count):
      var children: [MessagePart] = []
      children.reserveCapacity(min(count, MessageLimits.parts))
      for _ in 0..<count { children.append(try self.part(base: bodyStart, depth: depth + 1)) }
      part.content = .multipart(children)
    case .message: part.content = .message(try structure(base: bodyStart, depth: depth + 1))
    }
    return part
  }
}
