import Bytes

// The store keeps one of these for every message and reads hundreds in a row, so: a version byte, then variable-length
// integers and strings, no names. Ranges are lengths, relative to the part around; common words are one byte.

extension MessageStructure {
  /// A compact encoding for the store, with a version byte in front.
  package func encoded() -> [UInt8] {
    var writer = StructureWriter()
    writer.bytes.reserveCapacity(512)
    writer.bytes.append(EncodedStructure.version)
    writer.write(self, base: 0)
    return writer.bytes
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
