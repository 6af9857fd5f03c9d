extension EmailAddress {
  /// The address with an ASCII domain, as servers without SMTPUTF8 need it; nil where the local part is not ASCII, for
  /// nobody but its own server may rewrite that, and where the domain has no such form.  RFC 6531 §3.2.
  package var ascii: EmailAddress? {
    guard localPart.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    if domain.text.utf8.allSatisfy({ $0 < 0x80 }) { return self }
    guard let domain = domain.asciiText.flatMap({ Domain($0) }) else { return nil }
    return EmailAddress(localPart: localPart, domain: domain)
  }
}
