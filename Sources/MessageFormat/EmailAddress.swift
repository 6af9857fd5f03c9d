/// A DNS domain or address literal as it stands after the `@`, in its canonical form: ASCII lower-case, U-labels in
/// NFC UTF-8, without a trailing dot.  RFC 5321 §4.1.2, RFC 6531 §3.3.
package struct Domain: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  /// Parses a domain name or an address literal (`[192.0.2.1]`, `[IPv6:…]`). Returns nil where the text is neither.
  package init?(_ text: String) { fatalError("skeleton") }

  package var description: String { text }
  package static func < (left: Domain, right: Domain) -> Bool { left.text < right.text }
}

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
  package init?(_ text: String) { fatalError("skeleton") }

  /// Written as on the wire, quoted where it must be.
  package var description: String { fatalError("skeleton") }
  /// The key under which local addresses are looked up: local part in NFC and lower-case, then `@` and the domain.
  package var lookupKey: String { fatalError("skeleton") }
  /// True if the address has non-ASCII characters and so needs SMTPUTF8.
  package var needsSMTPUTF8: Bool { fatalError("skeleton") }
}
