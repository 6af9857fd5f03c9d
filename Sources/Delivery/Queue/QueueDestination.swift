/// What deliveries are grouped by: a domain, and what the TLS of its servers has to be. Those of one destination go
/// over the same sessions, so a session never carries a message that asks for more than it has.
package struct QueueDestination: Hashable, Sendable {
  package enum Assurance: Hashable, Sendable {
    /// What the domain's policies ask for, or nothing is sent.
    case policy
    /// The best there is, whatever the policies say: for reports that TLS does not work.  RFC 8460 §5.3.1.
    case any
  }

  /// In lower case, or an address literal.
  package var domain: String
  package var assurance: Assurance

  package init(domain: String, assurance: Assurance = .policy) {
    self.domain = domain
    self.assurance = assurance
  }

  /// No domain has a semicolon.
  private static let mark = ";tls=any"

  /// As the queue keeps it.
  package init(text: String) {
    if text.hasSuffix(Self.mark) {
      self.init(domain: String(text.dropLast(Self.mark.count)), assurance: .any)
    } else {
      self.init(domain: text)
    }
  }

  package var text: String { assurance == .any ? domain + Self.mark : domain }
}
