package import MailStore

/// Where mail for a recipient goes.
package enum Route: Hashable, Sendable {
  /// Local accounts, aliases followed and doubles removed; never empty.
  case local([AccountID])
  /// Another server's, or an alias that leads there. Only submission may ask for it, and only once there is a queue.
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
