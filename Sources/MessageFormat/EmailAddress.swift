import Bytes

/// A mailbox address: local part and domain.  RFC 5321 §4.1.2 `Mailbox`.
package struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
  /// The local part with its quoting removed, in the spelling it came in (RFC 5321 §2.4: it may be case-sensitive).
  package let localPart: String
  package let domain: Domain

  package init(localPart: String, domain: Domain) {
    self.localPart = localPart
    self.domain = domain
  }

  /// Parses `local@domain`, with a quoted local part if it must be. Returns nil where the text is not one.
  package init?(_ text: String) {
    guard text.utf8.count <= 1000, let at = text.utf8.lastIndex(of: 0x40) else { return nil }
    guard let domain = Domain(String(text[text.utf8.index(after: at)...])) else { return nil }
    let local = text[..<at]
    if local.utf8.first == 0x22 {
      guard let content = Self.unquoted(local) else { return nil }
      localPart = content
    } else {
      guard Self.isDotString(local.utf8) else { return nil }
      localPart = String(local)
    }
    // RFC 5321 §4.5.3.1.1 grants it 64 octets; longer ones (VERP) are met and harmless.
    guard localPart.utf8.count <= 255 else { return nil }
    self.domain = domain
  }

  /// Written as on the wire, quoted where it must be.
  package var description: String { "\(wireLocalPart)@\(domain.text)" }

  /// The local part as on the wire, quoted where it must be.
  package var wireLocalPart: String {
    if Self.isDotString(localPart.utf8) { return localPart }
    var text = "\""
    for scalar in localPart.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }

  /// The key under which local addresses are looked up: local part in NFC and lower-case, then `@` and the domain.
  package var lookupKey: String { "\(localPart.lowercased().nfc)@\(domain.text)" }

  /// True if the address has non-ASCII characters and so needs SMTPUTF8.
  package var needsSMTPUTF8: Bool {
    !localPart.utf8.allSatisfy { $0 < 0x80 } || !domain.text.utf8.allSatisfy { $0 < 0x80 }
  }

  /// RFC 5321 §4.1.2 `Dot-string`, RFC 6531 §3.3.
  private static func isDotString(_ text: some BidirectionalCollection<UInt8>) -> Bool {
    guard let first = text.first, let last = text.last, first != 0x2E, last != 0x2E else { return false }
    var previous: UInt8 = 0
    for byte in text {
      guard byte.isIn(.atext) || byte == 0x2E && previous != 0x2E else { return false }
      previous = byte
    }
    return true
  }

  /// The content of `Quoted-string`; nil if it is not one, is empty or has control characters.
  private static func unquoted(_ text: Substring) -> String? {
    guard text.utf8.count > 2, text.utf8.last == 0x22 else { return nil }
    var content: [UInt8] = []
    var escaped = false
    for byte in text.utf8.dropFirst().dropLast() {
      guard !byte.isIn(.ctl) else { return nil }
      if escaped {
        content.append(byte)
        escaped = false
      } else if byte == 0x5C {
        escaped = true
      } else if byte == 0x22 {
        return nil
      } else {
        content.append(byte)
      }
    }
    return escaped ? nil : String(decoding: content, as: UTF8.self)
  }
}
