import Bytes
import MessageFormat

@testable import IMAPServer

extension EntryPoint {
  static let structure = EntryPoint(name: "structure") { bytes in
    let structure = MessageStructure(parsing: bytes)
    check(structure.root, in: 0..<bytes.count, bytes)
    let encoded = structure.encoded()
    precondition(MessageStructure(encoded: encoded) == structure, "what was encoded is not what was parsed")
    precondition(isAnswered(EncodedStructure(encoded)), "what was encoded is not answered")
    let ranges = EncodedStructure(encoded).rootRanges
    precondition(ranges?.header == structure.root.headerRange && ranges?.body == structure.root.bodyRange)
    // Damage, at places and to values that the message itself chooses.
    var damaged = encoded
    for (index, byte) in bytes.prefix(16).enumerated() where index % 2 == 0 {
      damaged[(Int(byte) &* 7 &+ index) % damaged.count] = bytes[(index + 1) % bytes.count]
      _ = isAnswered(EncodedStructure(damaged))
      _ = MessageStructure(encoded: damaged)
    }
  }

  /// Writes the answers to ENVELOPE, BODY and BODYSTRUCTURE; false where the encoding is damaged.
  private static func isAnswered(_ encoded: EncodedStructure) -> Bool {
    var isWhole = true
    for isExtended in [false, true] {
      var buffer = ResponseBuffer()
      let answer: Void? = encoded.read { (reader) throws(StructureReader.Damaged) in
        try buffer.appendEnvelope(&reader)
        try buffer.appendBody(&reader, isExtended: isExtended)
      }
      if answer == nil { isWhole = false }
    }
    return isWhole
  }

  /// What the store has kept may be damaged.
  static let encodedStructure = EntryPoint(name: "encodedStructure") { bytes in
    let isWhole = isAnswered(EncodedStructure(bytes))
    guard let structure = MessageStructure(encoded: bytes) else { return }
    precondition(isWhole, "what can be decoded is not answered")
    precondition(MessageStructure(encoded: structure.encoded()) == structure)
  }

  static let header = EntryPoint(name: "header") { bytes in
    bytes.withUnsafeBytes { all in
      var end = 0
      for field in HeaderFields(all) {
        precondition(field.range.lowerBound == end && field.range.upperBound <= all.count && !field.range.isEmpty)
        precondition(field.name.isEmpty || field.name.lowerBound >= field.range.lowerBound)
        precondition(field.body.upperBound <= field.range.upperBound)
        end = field.range.upperBound
        _ = EncodedWords.decode(Array(all[field.body]))
        _ = AddressListParser.parse(all, field.body)
        _ = DateTime(rfc5322: ArraySlice(all[field.body]))
      }
      precondition(HeaderFields.headerEnd(in: all) <= all.count)
    }
  }

  /// The first line names the charset.
  static let text = EntryPoint(name: "text") { bytes in
    let line = Array(bytes.prefix { $0 != 0x0A })
    let (text, _) = CharsetDecoder.decode(Array(bytes.dropFirst(line.count + 1)), charset: line)
    precondition(String(validating: text, as: UTF8.self) != nil, "not UTF-8")
    let folded = CaseFolding.fold(text)
    precondition(String(validating: folded, as: UTF8.self) != nil, "folded to what is not UTF-8")
  }

  static let addresses = EntryPoint(name: "addresses") { bytes in
    _ = AddressListParser.parse(bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    if let domain = Domain(text) {
      precondition(Domain(domain.text) == domain, "a domain is not read as it was written")
    }
    guard let address = EmailAddress(text) else { return }
    precondition(EmailAddress(address.description) == address, "an address is not read as it was written")
    _ = address.lookupKey
  }

  static let dates = EntryPoint(name: "dates") { bytes in
    _ = DateTime(rfc5322: bytes[...])
    _ = DateTime(imap: bytes[...])
    _ = CalendarDate(imap: bytes[...])
  }

  private static func check(_ part: MessagePart, in range: Range<Int>, _ bytes: [UInt8]) {
    precondition(range.contains(part.headerRange) && range.contains(part.bodyRange), "a part is outside its parent")
    precondition(part.headerRange.upperBound == part.bodyRange.lowerBound)
    precondition(part.lineCount >= 0)
    _ = bytes.withUnsafeBytes { part.decodedContent(UnsafeRawBufferPointer(rebasing: $0[part.bodyRange])) }
    switch part.content {
    case .leaf: break
    case .multipart(let children):
      precondition(!children.isEmpty)
      for child in children { check(child, in: part.bodyRange, bytes) }
    case .message(let message): check(message.root, in: part.bodyRange, bytes)
    }
  }
}
