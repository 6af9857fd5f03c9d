import Bytes
import MessageFormat

extension MailParameters {
  /// Writes the parameters as they follow the path of MAIL, each with a space before it.
  package func append(to output: inout [UInt8]) {
    if let size { output.append(text: " SIZE=\(size)") }
    if let body { output.append(text: " BODY=\(body.rawValue)") }
    if usesUTF8 { output.append(literal: " SMTPUTF8") }
    if let submitter {
      output.append(literal: " AUTH=")
      output += submitter.isEmpty ? Array("<>".utf8) : XText.encode(submitter)
    }
    if let returnedContent { output.append(text: " RET=\(returnedContent.rawValue)") }
    if let envelopeID {
      output.append(literal: " ENVID=")
      output += XText.encode(envelopeID)
    }
    if requiresTLS { output.append(literal: " REQUIRETLS") }
    if let deliverBy {
      output.append(text: " BY=\(deliverBy.seconds);\(deliverBy.mode.rawValue)\(deliverBy.isTraced ? "T" : "")")
    }
    if let priority { output.append(text: " MT-PRIORITY=\(min(max(priority, -9), 9))") }
    if let holdFor { output.append(text: " HOLDFOR=\(max(holdFor, 0))") }
    if let holdUntil { output.append(text: " HOLDUNTIL=\(holdUntil.rfc3339)") }
    if let solicitations { output.append(text: " SOLICIT=\(solicitations.joined(separator: ","))") }
  }
}

extension RecipientParameters {
  /// Writes the parameters as they follow the path of RCPT, each with a space before it.
  /// - Parameter isUTF8: the transaction uses SMTPUTF8, so an address may be written as it is.
  package func append(to output: inout [UInt8], isUTF8: Bool) {
    if let notify {
      var words: [String] = []
      if notify.contains(.success) { words.append("SUCCESS") }
      if notify.contains(.failure) { words.append("FAILURE") }
      if notify.contains(.delay) { words.append("DELAY") }
      output.append(text: " NOTIFY=\(words.isEmpty ? "NEVER" : words.joined(separator: ","))")
    }
    if let originalRecipient {
      output.append(literal: " ORCPT=")
      output += originalRecipient.encoded(isUTF8: isUTF8)
    }
  }
}

extension RecipientParameters.OriginalRecipient {
  /// `rfc822;joe@example.com`, as ORCPT and the report's `Original-Recipient` write it.
  /// - Parameter isUTF8: other than ASCII may stand as it is (type `utf-8` only).
  package func encoded(isUTF8: Bool) -> [UInt8] {
    let type = Array(type.utf8.filter { $0 < 0x80 && $0.isIn(.atext) })
    guard self.type.lowercased() == "utf-8", let text = String(validating: address, as: UTF8.self) else {
      return type + [0x3B] + XText.encode(address)
    }
    return type + [0x3B] + (isUTF8 ? UTF8AddressText.unicode(text) : UTF8AddressText.ascii(text))
  }
}

/// The encodings of an address of type `utf-8`: `\x{E4}` is `ä`.  RFC 6533 §3.
package enum UTF8AddressText {
  /// `utf-8-addr-xtext`: ASCII only.
  package static func ascii(_ text: String) -> [UInt8] { encode(text) { $0.isASCII } }

  /// `utf-8-addr-unitext`: other than ASCII as it is.
  package static func unicode(_ text: String) -> [UInt8] { encode(text) { _ in true } }

  /// What either of them wrote, and what stands between: a `\` that begins no character is one.
  static func decode(_ text: [UInt8]) -> [UInt8] {
    var decoded: [UInt8] = []
    var rest = text[...]
    while let byte = rest.first {
      if let (scalar, end) = embeddedCharacter(rest) {
        decoded.append(text: String(scalar))
        rest = rest[end...]
      } else {
        decoded.append(byte)
        rest.removeFirst()
      }
    }
    return decoded
  }

  /// `EmbeddedUnicodeChar`: `\x{FC}`.
  private static func embeddedCharacter(_ text: ArraySlice<UInt8>) -> (Unicode.Scalar, end: Int)? {
    guard text.starts(with: [0x5C, 0x78, 0x7B]) else { return nil }
    let digits = text.dropFirst(3).prefix(7).prefix { $0 != 0x7D }
    guard 1...6 ~= digits.count, digits.endIndex < text.endIndex, digits.allSatisfy({ $0.hexValue != nil }) else {
      return nil
    }
    let value = digits.reduce(UInt32(0)) { $0 << 4 | UInt32($1.hexValue ?? 0) }
    return Unicode.Scalar(value).map { ($0, digits.endIndex + 1) }
  }

  private static func encode(_ text: String, asItIs: (Unicode.Scalar) -> Bool) -> [UInt8] {
    var encoded: [UInt8] = []
    for scalar in text.unicodeScalars {
      let isControl = scalar.value <= 0x20 || (0x7F..<0xA0).contains(scalar.value)
      let isSpecial = isControl || scalar == "+" || scalar == "=" || scalar == "\\"
      if !isSpecial, asItIs(scalar) {
        encoded.append(text: String(scalar))
      } else {
        encoded.append(text: "\\x{\(String(scalar.value, radix: 16, uppercase: true))}")
      }
    }
    return encoded
  }
}
