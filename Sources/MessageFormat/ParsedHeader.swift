import Bytes

/// The fields of one header that structure and envelope are made of.
struct ParsedHeader {
  var envelope = Envelope()
  private(set) var boundary: [UInt8]?
  private var mediaType: (type: [UInt8], subtype: [UInt8])?
  private var hasContentType = false
  private var parameters: [MIMEParameter] = []
  private var encoding: [UInt8]?
  private var id: [UInt8]?
  private var description: [UInt8]?
  private var md5: [UInt8]?
  private var disposition: [UInt8]?
  private var dispositionParameters: [MIMEParameter] = []
  private var languages: [[UInt8]] = []
  private var location: [UInt8]?

  /// Fills in what the header says, or the defaults.  RFC 2045 §5.2, RFC 2046 §5.1.5.
  func describe(_ part: inout MessagePart, insideDigest: Bool) {
    if let mediaType {
      part.type = mediaType.type
      part.subtype = mediaType.subtype
      part.parameters = parameters
    } else if insideDigest, !hasContentType {
      part.type = MIMEToken.words[31]
      part.subtype = MIMEToken.words[32]
    }
    if let encoding { part.encoding = encoding }
    part.id = id
    part.description = description
    part.md5 = md5
    part.disposition = disposition
    part.dispositionParameters = dispositionParameters
    part.languages = languages
    part.location = location
  }

  /// Takes the field if it is one that matters. The first of several counts; lists of recipients are joined.
  mutating func read(
    _ field: HeaderField, of bytes: UnsafeRawBufferPointer, envelope wantsEnvelope: Bool, addressBudget: inout Int
  ) {
    guard field.name.count >= 2 else { return }
    let name = field.name
    let first = bytes[name.lowerBound].asciiLowercased
    if first == 0x63, name.count > 8, bytes[name.lowerBound &+ 7] == 0x2D {
      if bytes.equals("content", in: name.lowerBound..<name.lowerBound + 7) { readMIME(field, of: bytes) }
      return
    }
    guard wantsEnvelope else { return }

    func text(_ current: [UInt8]?) -> [UInt8]? { current ?? HeaderFields.unfolded(bytes, field.body) }
    func add(to list: inout [EnvelopeAddress], joining: Bool = false) {
      guard joining || list.isEmpty, addressBudget > 0 else { return }
      let found = AddressListParser.parse(bytes, field.body, limit: addressBudget)
      addressBudget -= found.count
      if list.isEmpty { list = found } else { list += found }
    }
    switch (first, name.count) {
    case (0x64, 4) where bytes.equals("date", in: name): envelope.date = text(envelope.date)
    case (0x73, 7) where bytes.equals("subject", in: name): envelope.subject = text(envelope.subject)
    case (0x66, 4) where bytes.equals("from", in: name): add(to: &envelope.from)
    case (0x73, 6) where bytes.equals("sender", in: name): add(to: &envelope.sender)
    case (0x72, 8) where bytes.equals("reply-to", in: name): add(to: &envelope.replyTo)
    case (0x74, 2) where bytes.equals("to", in: name): add(to: &envelope.to, joining: true)
    case (0x63, 2) where bytes.equals("cc", in: name): add(to: &envelope.cc, joining: true)
    case (0x62, 3) where bytes.equals("bcc", in: name): add(to: &envelope.bcc, joining: true)
    case (0x69, 11) where bytes.equals("in-reply-to", in: name): envelope.inReplyTo = text(envelope.inReplyTo)
    case (0x6D, 10) where bytes.equals("message-id", in: name): envelope.messageID = text(envelope.messageID)
    case (0x72, 10) where bytes.equals("references", in: name): envelope.references = text(envelope.references)
    default: break
    }
  }

  private mutating func readMIME(_ field: HeaderField, of bytes: UnsafeRawBufferPointer) {
    let name = field.name.lowerBound + 8..<field.name.upperBound
    func text() -> [UInt8] { HeaderFields.unfolded(bytes, field.body) }
    var parser = MIMEFieldParser(bytes, field.body)
    switch name.count {
    case 2 where id == nil && bytes.equals("id", in: name): id = text()
    case 3 where md5 == nil && bytes.equals("md5", in: name): md5 = text()
    case 4 where !hasContentType && bytes.equals("type", in: name):
      hasContentType = true
      guard let found = parser.mediaType() else { return }
      mediaType = found
      parameters = parser.parameters()
      boundary = parameters.first { $0.name.equalsIgnoringASCIICase("boundary") }?.value
    case 8 where languages.isEmpty && bytes.equals("language", in: name): languages = parser.tokenList()
    case 8 where location == nil && bytes.equals("location", in: name):
      // A URI is folded anywhere; white space is no part of it.  RFC 2557 §4.4.2.
      location = text().filter { !$0.isIn(.wsp) }
    case 11 where description == nil && bytes.equals("description", in: name): description = text()
    case 11 where disposition == nil && bytes.equals("disposition", in: name):
      guard let found = parser.token() else { return }
      disposition = found
      dispositionParameters = parser.parameters()
    case 17 where encoding == nil && bytes.equals("transfer-encoding", in: name): encoding = parser.token()
    default: break
    }
  }
}
