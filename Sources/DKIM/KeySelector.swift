package import MessageFormat

/// Which of a domain's keys: the labels before `_domainkey`.  RFC 6376 §3.1.
package struct KeySelector: Hashable, Sendable, CustomStringConvertible {
  private let labels: Domain

  /// Nil where the text is not one or several labels.
  package init?(_ text: String) {
    guard let labels = Domain(text), !labels.isAddressLiteral else { return nil }
    self.labels = labels
  }

  package var text: String { labels.text }
  package var description: String { text }

  /// The name that the key record stands at, without a final dot and in A-labels; nil where it is too long for DNS.
  /// RFC 6376 §3.6.2.1, RFC 8616 §5.
  package func recordName(in domain: Domain) -> String? {
    guard let selector = labels.asciiText, let domain = domain.asciiText else { return nil }
    let name = "\(selector)._domainkey.\(domain)"
    return name.utf8.count <= 253 ? name : nil
  }

  /// As it goes into a header: in A-labels, unless that is internationalized.
  func headerText(isInternationalized: Bool) -> String { labels.headerText(isInternationalized: isInternationalized) }
}

extension Domain {
  /// As it goes into a header: in A-labels, unless that is internationalized.  RFC 8616 §5, RFC 6532 §3.
  func headerText(isInternationalized: Bool) -> String { isInternationalized ? text : asciiText ?? text }

  /// True if it is `other` or below it.
  func isWithin(_ other: Domain) -> Bool {
    guard let mine = asciiText, let theirs = other.asciiText else { return false }
    return mine == theirs || mine.hasSuffix("." + theirs)
  }
}
