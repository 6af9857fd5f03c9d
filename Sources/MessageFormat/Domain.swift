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
    let isASCII = name.utf8.allSatisfy { $0 < 0x80 }
    let canonical = isASCII ? Self.lowercased(name) : String(name).lowercased().nfc
    // Lower-casing may have made it longer.
    guard canonical.utf8.count <= 255, Self.areLabels(canonical.utf8) else { return nil }
    guard isASCII || canonical.unicodeScalars.allSatisfy({ $0.isASCII || Self.mayStandInLabel($0) }) else { return nil }
    self.text = canonical
  }

  /// True for `[192.0.2.1]`, `[IPv6:…]` and other address literals.
  package var isAddressLiteral: Bool { text.utf8.first == 0x5B }

  package var description: String { text }
  package static func < (left: Domain, right: Domain) -> Bool { left.text < right.text }

  private static func lowercased(_ ascii: Substring) -> String {
    String(unsafeUninitializedCapacity: ascii.utf8.count) { buffer in
      var count = 0
      for byte in ascii.utf8 {
        buffer[count] = byte.asciiLowercased
        count += 1
      }
      return count
    }
  }

  /// Labels with dots between them: RFC 5321 §4.1.2 `sub-domain`, with the underscore that real names have.
  private static func areLabels(_ name: String.UTF8View) -> Bool {
    let (dot, hyphen): (UInt8, UInt8) = (0x2E, 0x2D)
    var length = 0
    var last = dot
    for byte in name {
      if byte == dot {
        guard last != dot, last != hyphen else { return false }
        length = 0
      } else {
        length += 1
        guard length <= 63 else { return false }
        guard byte.isIn([.alpha, .digit]) || byte == hyphen && length > 1 || byte == 0x5F || byte >= 0x80 else {
          return false
        }
      }
      last = byte
    }
    return last != dot && last != hyphen
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
