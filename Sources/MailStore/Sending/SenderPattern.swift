package import MessageFormat

/// Whom else an account may send as: an address, or every address of a domain.
package enum SenderPattern: Hashable, Sendable, CustomStringConvertible {
  case address(EmailAddress)
  case domain(Domain)

  /// Parses `local@domain` or `@domain`.
  package init?(_ text: String) {
    if text.utf8.first == 0x40 {
      guard let domain = Domain(String(text.dropFirst())), !domain.isAddressLiteral else { return nil }
      self = .domain(domain)
    } else {
      guard let address = EmailAddress(text) else { return nil }
      self = .address(address)
    }
  }

  package var description: String {
    switch self {
    case .address(let address): address.description
    case .domain(let domain): "@\(domain)"
    }
  }

  /// Two of one key cover the same.
  package var key: String {
    switch self {
    case .address(let address): address.lookupKey
    case .domain(let domain): "@\(domain)"
    }
  }

  /// An address is meant with and without `+detail`.
  func covers(_ other: EmailAddress) -> Bool {
    switch self {
    case .address(let address):
      address.lookupKey == other.lookupKey || address.lookupKey == other.withoutDetail?.lookupKey
    case .domain(let domain): domain == other.domain
    }
  }
}
