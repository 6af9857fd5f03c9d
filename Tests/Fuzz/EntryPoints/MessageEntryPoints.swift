import Bytes

@testable import IMAPServer
@testable import MessageFormat

extension EntryPoint {
  /// The first byte cuts the rest into pieces; what is written in 7 bits does not depend on it, and needs no second go.
  static let sevenBit = EntryPoint(name: "sevenBit") { bytes in
    guard let first = bytes.first else { return }
    let message = Array(bytes.dropFirst())
    guard let (plan, whole) = inSevenBits(message, size: max(message.count, 1)) else {
      precondition(inSevenBits(message, size: Int(first) % 29 + 1) == nil, "pieces can be written, the whole can't")
      return
    }
    guard let (pieces, output) = inSevenBits(message, size: Int(first) % 29 + 1) else {
      preconditionFailure("the whole can be written, pieces can't")
    }
    precondition(pieces.handling == plan.handling && output == whole, "what is written depends on how it is read")
    guard let (again, _) = inSevenBits(output, size: max(output.count, 1)) else {
      preconditionFailure("what was written can't be read")
    }
    precondition(again.handling.count == plan.handling.count, "there are other parts than before")
    precondition(again.handling.allSatisfy { $0 == .asItIs }, "what was written is not in 7 bits")
  }

  private static func inSevenBits(_ message: [UInt8], size: Int) -> (SevenBitPlan, [UInt8])? {
    let pieces = stride(from: 0, to: message.count, by: size).map { Array(message[$0..<min($0 + size, message.count)]) }
    do throws(SevenBitError) {
      var scan = SevenBitPlan.Scan()
      for piece in pieces { try scan.scan(piece) }
      let plan = try scan.finish()
      var writer = SevenBitWriter(plan)
      var output: [UInt8] = []
      for piece in pieces { try writer.write(piece, into: &output) }
      try writer.finish(into: &output)
      return (plan, output)
    } catch {
      return nil
    }
  }

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
