import Bytes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A DNS domain or address literal as it stands after the `@`, in its canonical form: ASCII lower-case, U-labels in
/// NFC UTF-8, without a trailing dot.  RFC 5321 §4.1.2, RFC 6531 §3.3.
package struct Domain: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  /// Parses a domain name or an address literal (`[192.0.2.1]`, `[IPv6:…]`). Returns nil where the text is neither.
  package init?(_ text: String) {
    // RFC 5321 §4.5.3.1.2.
    guard 1...255 ~= text.utf8.count else { return nil }
    if text.hasPrefix("[") {
      guard let literal = Self.canonicalLiteral(text) else { return nil }
      self.text = literal
      return
    }
    let name = text.hasSuffix(".") ? text.dropLast() : text[...]
    let canonical: String
    if name.utf8.allSatisfy({ $0 < 0x80 }) {
      canonical = String(decoding: name.utf8.map(\.asciiLowercased), as: UTF8.self)
    } else {
      canonical = String(name).lowercased().nfc
    }
    // Lower-casing may have made it longer.
    guard canonical.utf8.count <= 255 else { return nil }
    let labels = canonical.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard labels.allSatisfy({ Self.isLabel($0) }) else { return nil }
    guard canonical.unicodeScalars.allSatisfy({ $0.isASCII || Self.mayStandInLabel($0) }) else { return nil }
    self.text = canonical
  }

  /// True for `[192.0.2.1]`, `[IPv6:…]` and other address literals.
  package var isAddressLiteral: Bool { text.utf8.first == 0x5B }

  package var description: String { text }
  package static func < (left: Domain, right: Domain) -> Bool { left.text < right.text }

  /// RFC 5321 §4.1.2 `sub-domain`, with the underscore that real names have.
  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    guard 1...63 ~= label.count, label.first != 0x2D, label.last != 0x2D else { return false }
    return label.allSatisfy { $0.isIn([.alpha, .digit]) || $0 == 0x2D || $0 == 0x5F || $0 >= 0x80 }
  }

  private static func mayStandInLabel(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
      // Joiners are part of names in several scripts.  RFC 5892 appendix A.
      scalar == "\u{200C}" || scalar == "\u{200D}"
    default: true
    }
  }

  /// RFC 5321 §4.1.3.
  private static func canonicalLiteral(_ text: String) -> String? {
    guard text.hasSuffix("]") else { return nil }
    let content = text.dropFirst().dropLast()
    if content.prefix(5).utf8.equalsIgnoringASCIICase("IPv6:") {
      return canonicalAddress(content.dropFirst(5), family: AF_INET6).map { "[IPv6:\($0)]" }
    }
    return canonicalAddress(content, family: AF_INET).map { "[\($0)]" }
  }

  private static func canonicalAddress(_ text: Substring, family: Int32) -> String? {
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { address in
      guard inet_pton(family, String(text), address.baseAddress) == 1 else { return nil }
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        inet_ntop(family, address.baseAddress, buffer.baseAddress, 64).map { String(cString: $0) }
      }
    }
  }
}
