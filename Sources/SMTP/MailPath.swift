package import MessageFormat

/// Where bounces go.  RFC 5321 §4.1.2 `Reverse-path`.
package enum ReversePath: Hashable, Sendable, CustomStringConvertible {
  /// `<>`: this is a bounce or another notice that must not be answered.
  case null
  case mailbox(EmailAddress)

  package var address: EmailAddress? {
    if case .mailbox(let address) = self { address } else { nil }
  }

  /// Without angle brackets; empty for the null path.
  package var description: String { address?.description ?? "" }
}

/// Whom a message is for.  RFC 5321 §4.1.2 `Forward-path`.
package enum ForwardPath: Hashable, Sendable {
  /// `<postmaster>` without a domain: always ours.  RFC 5321 §4.5.1.
  case postmaster
  case mailbox(EmailAddress)
}

/// How strictly a path must be written.
package enum PathSyntax: Sendable {
  /// Angle brackets are required.
  case strict
  /// Submission clients that leave them out are understood.
  case bracketsOptional
}
