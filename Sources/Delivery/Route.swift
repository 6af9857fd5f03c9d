package import MailStore
package import MessageFormat

/// Where mail for a recipient goes.
package enum Route: Hashable, Sendable {
  /// An address of ours: accounts, and where aliases lead on to other servers; aliases followed, doubles removed, and
  /// together never empty.
  case deliver([AccountID], elsewhere: [EmailAddress])
  /// Another server's. Only submission may ask for it.
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
