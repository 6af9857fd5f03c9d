import Bytes
import MessageFormat

/// `body`: the tree of parts.  RFC 9051 §7.5.2.
extension ResponseBuffer {
  /// Writes the part that the reader is at, with all that is inside it.
  /// - Parameter isExtended: with the extension data of BODYSTRUCTURE; BODY is without.
  mutating func appendBody(
    _ reader: inout StructureReader, isExtended: Bool, depth: Int = 0
  ) throws(StructureReader.Damaged) {
    guard depth <= StructureReader.depthLimit else { throw StructureReader.Damaged() }
    append(0x28)
    let part = try reader.part()
    switch part.content {
    case .multipart(let count):
      // `body-type-mpart` = 1*body SP media-subtype
      for _ in 0..<count { try appendBody(&reader, isExtended: isExtended, depth: depth + 1) }
      append(0x20)
      appendUppercase(part.subtype)
      if isExtended {
        append(0x20)
        try append(part.parameters, reader)
      }
    case .message:
      try appendBasics(of: part, reader)
      append(0x20)
      try appendEnvelope(&reader)
      append(0x20)
      try appendBody(&reader, isExtended: isExtended, depth: depth + 1)
      append(0x20)
      append(number: part.lineCount)
      if isExtended {
        append(0x20)
        appendField(part.md5)
      }
    case .leaf:
      try appendBasics(of: part, reader)
      if part.isText {
        append(0x20)
        append(number: part.lineCount)
      }
      if isExtended {
        append(0x20)
        appendField(part.md5)
      }
    }
    if isExtended { try appendExtension(of: part, reader) }
    append(0x29)
  }

  /// `media-type` and `body-fields`.
  private mutating func appendBasics(
    of part: StructureReader.Part, _ reader: StructureReader
  ) throws(StructureReader.Damaged) {
    appendUppercase(part.type)
    append(0x20)
    appendUppercase(part.subtype)
    append(0x20)
    // RFC 2046 §4.1.2: the default charset, which RFC 9051's own example writes out.
    let start = bytes.count
    let hasCharset = try append(part.parameters, reader)
    if part.isText, !hasCharset {
      if part.parameters.count == 0 {
        bytes.removeSubrange(start...)
        append("(\"CHARSET\" \"US-ASCII\")")
      } else {
        bytes.insert(contentsOf: "\"CHARSET\" \"US-ASCII\" ".utf8, at: start + 1)
      }
    }
    append(0x20)
    appendField(part.id)
    append(0x20)
    appendField(part.description)
    append(0x20)
    appendUppercase(part.encoding)
    append(0x20)
    append(number: part.bodySize)
  }

  /// Disposition, languages, location.
  private mutating func appendExtension(
    of part: StructureReader.Part, _ reader: StructureReader
  ) throws(StructureReader.Damaged) {
    append(0x20)
    if let disposition = part.disposition {
      append(0x28)
      appendUppercase(disposition)
      append(0x20)
      try append(part.dispositionParameters, reader)
      append(0x29)
    } else {
      append("NIL")
    }
    append(0x20)
    if part.languages.count == 0 {
      append("NIL")
    } else {
      var separator: UInt8 = 0x28
      try reader.each(of: part.languages) { language in
        append(separator)
        separator = 0x20
        appendField(language)
      }
      append(0x29)
    }
    append(0x20)
    appendField(part.location)
  }

  /// `body-fld-param`. Returns true if a charset is among them.
  @discardableResult
  private mutating func append(
    _ parameters: StructureReader.Parameters, _ reader: StructureReader
  ) throws(StructureReader.Damaged) -> Bool {
    if parameters.count == 0 {
      append("NIL")
      return false
    }
    var hasCharset = false
    var separator: UInt8 = 0x28
    try reader.each(of: parameters) { name, value in
      append(separator)
      separator = 0x20
      if name.count == 7, name.equals("charset", in: 0..<7) { hasCharset = true }
      appendUppercase(name)
      append(0x20)
      appendField(value)
    }
    append(0x29)
    return hasCharset
  }

  /// A word of MIME: always a quoted string, because clients expect `"7BIT"`, and in upper case, as the RFC prints it.
  private mutating func appendUppercase(_ word: UnsafeRawBufferPointer) {
    guard word.count <= 1000, word.allAre(in: .plainQuoted) else { return append(string: word) }
    bytes.append(0x22)
    for byte in word { bytes.append(byte.asciiUppercased) }
    bytes.append(0x22)
  }
}
