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
  /// An alias that takes no mail from this sender.  550 5.7.2.
  case closed
  /// An alias leads in a circle or through too many steps.
  case loop
}

/// Who asks for the way: some aliases are not for everybody.
package enum RouteOrigin: Hashable, Sendable {
  /// Who has logged in.
  case account(AccountID)
  /// Another server, whoever it says that it speaks for.
  case elsewhere
  /// This server itself, with a report.
  case server
}

package enum UnknownRecipientPolicy: Sendable {
  case refuse
  /// `dev`: any address receives; its account is made on first use.
  case createAccount
}
