import Bytes
import MessageFormat

/// `body`: the tree of parts.  RFC 9051 §7.5.2.
extension ResponseBuffer {
  /// - Parameter isExtended: with the extension data of BODYSTRUCTURE; BODY is without.
  mutating func append(_ part: MessagePart, isExtended: Bool) {
    append(0x28)
    switch part.content {
    case .multipart(let children):
      // `body-type-mpart` = 1*body SP media-subtype
      for child in children { append(child, isExtended: isExtended) }
      append(0x20)
      appendUppercase(part.subtype)
      if isExtended {
        append(0x20)
        append(part.parameters)
      }
    case .message(let structure):
      appendBasics(of: part)
      append(0x20)
      append(structure.envelope)
      append(0x20)
      append(structure.root, isExtended: isExtended)
      append(0x20)
      append(number: part.lineCount)
      if isExtended {
        append(0x20)
        appendField(part.md5)
      }
    case .leaf:
      appendBasics(of: part)
      if part.isText {
        append(0x20)
        append(number: part.lineCount)
      }
      if isExtended {
        append(0x20)
        appendField(part.md5)
      }
    }
    if isExtended { appendExtension(of: part) }
    append(0x29)
  }

  /// `media-type` and `body-fields`.
  private mutating func appendBasics(of part: MessagePart) {
    appendUppercase(part.type)
    append(0x20)
    appendUppercase(part.subtype)
    append(0x20)
    if part.isText, !part.parameters.contains(where: { $0.name.equalsIgnoringASCIICase("charset") }) {
      // RFC 2046 §4.1.2: the default, which RFC 9051's own example writes out.
      append("(\"CHARSET\" \"US-ASCII\"")
      for parameter in part.parameters {
        append(0x20)
        append(parameter)
      }
      append(0x29)
    } else {
      append(part.parameters)
    }
    append(0x20)
    appendField(part.id)
    append(0x20)
    appendField(part.description)
    append(0x20)
    appendUppercase(part.encoding)
    append(0x20)
    append(number: part.bodyRange.count)
  }

  /// Disposition, languages, location.
  private mutating func appendExtension(of part: MessagePart) {
    append(0x20)
    if let disposition = part.disposition {
      append(0x28)
      appendUppercase(disposition)
      append(0x20)
      append(part.dispositionParameters)
      append(0x29)
    } else {
      append("NIL")
    }
    append(0x20)
    if part.languages.isEmpty {
      append("NIL")
    } else {
      append(0x28)
      for (index, language) in part.languages.enumerated() {
        if index > 0 { append(0x20) }
        appendField(language)
      }
      append(0x29)
    }
    append(0x20)
    appendField(part.location)
  }

  /// `body-fld-param`.
  private mutating func append(_ parameters: [MIMEParameter]) {
    if parameters.isEmpty { return append("NIL") }
    append(0x28)
    for (index, parameter) in parameters.enumerated() {
      if index > 0 { append(0x20) }
      append(parameter)
    }
    append(0x29)
  }

  private mutating func append(_ parameter: MIMEParameter) {
    appendUppercase(parameter.name)
    append(0x20)
    appendField(parameter.value)
  }

  /// A word of MIME: always a quoted string, because clients expect `"7BIT"`, and in upper case, as the RFC prints it.
  private mutating func appendUppercase(_ word: [UInt8]) {
    guard word.count <= 1000, word.allAre(in: .plainQuoted) else { return append(string: word) }
    bytes.append(0x22)
    for byte in word { bytes.append(byte.asciiUppercased) }
    bytes.append(0x22)
  }
}
