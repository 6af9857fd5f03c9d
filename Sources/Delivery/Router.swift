package import MailStore
package import MessageFormat

/// Where mail for a recipient goes.
package enum Route: Hashable, Sendable {
  /// Local accounts, aliases followed and doubles removed; never empty.
  case local([AccountID])
  /// Another server's. Only submission may ask for it, and only once there is a queue.
  case remote
  /// The domain is ours, nobody answers to the address.  550 5.1.1.
  case unknown
  /// An alias leads in a circle or through too many steps.
  case loop
}

package enum UnknownRecipientPolicy: Sendable {
  case refuse
  /// `dev`: any address receives; its account is made on first use.
  case createAccount
}

/// Says for each recipient where it goes. `postmaster` always exists: without an account or alias of that name it leads
/// to the first account (RFC 5321 §4.5.1).
package struct Router: Sendable {
  package init(store: MailStore, hostname: Domain, unknown: UnknownRecipientPolicy) { fatalError("skeleton") }
  package func route(_ recipient: EmailAddress) async throws(StoreError) -> Route { fatalError("skeleton") }
}
