import Bytes

// The store keeps one of these for every message and reads hundreds in a row, so: a version byte, then variable-length
// integers and strings, no names. Ranges are lengths, relative to the part around; common words are one byte.

private let formatVersion: UInt8 = 1

extension MessageStructure {
  /// A compact encoding for the store, with a version byte in front.
  package func encoded() -> [UInt8] {
    var writer = StructureWriter()
    writer.bytes.reserveCapacity(512)
    writer.bytes.append(formatVersion)
    writer.write(self, base: 0)
    return writer.bytes
  }

  /// Reads what `encoded()` wrote. Returns nil for bytes of an unknown version or damaged ones.
  package init?(encoded: [UInt8]) {
    let result = encoded.withUnsafeBytes { bytes -> MessageStructure? in
      guard bytes.first == formatVersion else { return nil }
      var reader = StructureReader(bytes: bytes, position: 1)
      guard let structure = try? reader.structure(base: 0, depth: 0), reader.position == bytes.count else { return nil }
      return structure
    }
    guard let result else { return nil }
    self = result
  }
}

private struct StructureWriter {
  var bytes: [UInt8] = []

  mutating func write(_ value: Int) {
    var rest = UInt(bitPattern: value)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// 0 is nil, else the length plus one.
  mutating func write(_ text: [UInt8]?) {
    guard let text else { return write(0) }
    write(text.count + 1)
    bytes += text
  }

  /// The index of a common word plus one, or 0 and the text.
  mutating func write(word: [UInt8]) {
    if let index = word.withUnsafeBytes({ MIMEToken.index(of: $0) }) {
      write(index + 1)
    } else {
      write(0)
      write(word.count)
      bytes += word
    }
  }

  mutating func write(_ parameters: [MIMEParameter]) {
    write(parameters.count)
    for parameter in parameters {
      write(word: parameter.name)
      write(word: parameter.value)
    }
  }

  mutating func write(_ addresses: [EnvelopeAddress]) {
    write(addresses.count)
    for address in addresses {
      write(address.name)
      write(address.route)
      write(address.mailbox)
      write(address.host)
    }
  }

  mutating func write(_ structure: MessageStructure, base: Int) {
    let envelope = structure.envelope
    write(envelope.date)
    write(envelope.subject)
    write(envelope.from)
    write(envelope.sender)
    write(envelope.replyTo)
    write(envelope.to)
    write(envelope.cc)
    write(envelope.bcc)
    write(envelope.inReplyTo)
    write(envelope.messageID)
    write(envelope.references)
    write(structure.root, base: base)
  }

  mutating func write(_ part: MessagePart, base: Int) {
    write(part.headerRange.lowerBound - base)
    write(part.headerRange.count)
    write(part.bodyRange.count)
    write(part.lineCount)
    write(word: part.type)
    write(word: part.subtype)
    write(word: part.encoding)
    write(part.parameters)

    // Most parts have none of the rest: one byte says which are there.
    let hasDisposition = part.disposition != nil || !part.dispositionParameters.isEmpty
    let present: [Bool] = [
      part.id != nil, part.description != nil, part.md5 != nil, hasDisposition, !part.languages.isEmpty,
      part.location != nil,
    ]
    var tag = 0
    for (bit, isPresent) in present.enumerated() where isPresent { tag |= 1 << bit }
    switch part.content {
    case .leaf: break
    case .multipart: tag |= 1 << 6
    case .message: tag |= 2 << 6
    }
    write(tag)
    if part.id != nil { write(part.id) }
    if part.description != nil { write(part.description) }
    if part.md5 != nil { write(part.md5) }
    if hasDisposition {
      write(part.disposition)
      write(part.dispositionParameters)
    }
    if !part.languages.isEmpty {
      write(part.languages.count)
      for language in part.languages { write(language) }
    }
    if part.location != nil { write(part.location) }

    switch part.content {
    case .leaf: break
    case .multipart(let children):
      write(children.count)
      for child in children { write(child, base: part.bodyRange.lowerBound) }
    case .message(let structure): write(structure, base: part.bodyRange.lowerBound)
    }
  }
}

private struct StructureReader {
  struct Damaged: Error {}

  let bytes: UnsafeRawBufferPointer
  var position: Int

  /// A number below 2⁴⁸, so that no sum of some of them overflows.
  mutating func number() throws(Damaged) -> Int {
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
  mutating func count() throws(Damaged) -> Int {
    let count = try number()
    guard count <= bytes.count - position else { throw Damaged() }
    return count
  }

  mutating func slice(_ count: Int) throws(Damaged) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - position else { throw Damaged() }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  mutating func text() throws(Damaged) -> [UInt8]? {
    let length = try number()
    return length == 0 ? nil : Array(try slice(length - 1))
  }

  mutating func word() throws(Damaged) -> [UInt8] {
    let index = try number()
    if index == 0 { return Array(try slice(try number())) }
    guard index <= MIMEToken.words.count else { throw Damaged() }
    return MIMEToken.words[index - 1]
  }

  mutating func parameters() throws(Damaged) -> [MIMEParameter] {
    let count = try count()
    var list: [MIMEParameter] = []
    list.reserveCapacity(min(count, MessageLimits.parameters))
    for _ in 0..<count { list.append(MIMEParameter(name: try word(), value: try word())) }
    return list
  }

  mutating func addresses() throws(Damaged) -> [EnvelopeAddress] {
    let count = try count()
    guard count > 0 else { return [] }
    var list: [EnvelopeAddress] = []
    list.reserveCapacity(min(count, MessageLimits.addresses))
    for _ in 0..<count {
      list.append(EnvelopeAddress(name: try text(), route: try text(), mailbox: try text(), host: try text()))
    }
    return list
  }

  mutating func structure(base: Int, depth: Int) throws(Damaged) -> MessageStructure {
    var envelope = Envelope()
    envelope.date = try text()
    envelope.subject = try text()
    envelope.from = try addresses()
    envelope.sender = try addresses()
    envelope.replyTo = try addresses()
    envelope.to = try addresses()
    envelope.cc = try addresses()
    envelope.bcc = try addresses()
    envelope.inReplyTo = try text()
    envelope.messageID = try text()
    envelope.references = try text()
    return MessageStructure(envelope: envelope, root: try part(base: base, depth: depth))
  }

  mutating func part(base: Int, depth: Int) throws(Damaged) -> MessagePart {
    guard depth <= 2 * MessageLimits.depth + 2 else { throw Damaged() }
    let start = base + (try number())
    let bodyStart = start + (try number())
    var part = MessagePart(headerRange: start..<bodyStart, bodyRange: bodyStart..<bodyStart + (try number()))
    // Offsets grow with each level; they stay far below the largest integer.
    guard part.bodyRange.upperBound < 1 << 56 else { throw Damaged() }
    part.lineCount = try number()
    part.type = try word()
    part.subtype = try word()
    part.encoding = try word()
    part.parameters = try parameters()
    let tag = try number()
    if tag & 1 != 0 { part.id = try text() }
    if tag & 2 != 0 { part.description = try text() }
    if tag & 4 != 0 { part.md5 = try text() }
    if tag & 8 != 0 {
      part.disposition = try text()
      part.dispositionParameters = try parameters()
    }
    if tag & 16 != 0 {
      for _ in 0..<(try count()) { part.languages.append(try text() ?? []) }
    }
    if tag & 32 != 0 { part.location = try text() }
    switch tag >> 6 {
    case 0: break
    case 1:
      let count = try count()
      guard count > 0 else { throw Damaged() }
      var children: [MessagePart] = []
      children.reserveCapacity(min(count, MessageLimits.parts))
      for _ in 0..<count { children.append(try self.part(base: bodyStart, depth: depth + 1)) }
      part.content = .multipart(children)
    case 2: part.content = .message(try structure(base: bodyStart, depth: depth + 1))
    default: throw Damaged()
    }
    return part
  }
}
