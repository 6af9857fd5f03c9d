package import MailStore
package import MessageFormat
package import SMTP

/// A recipient for whom a message is taken.
package struct AcceptedRecipient: Hashable, Sendable {
  /// As the client named it.
  package var address: EmailAddress
  /// Whose mailboxes here it is for.
  package var accounts: [AccountID]
  /// Where it goes on to. With `accounts` together never empty.
  package var elsewhere: [EmailAddress]
  package var parameters: RecipientParameters

  package init(
    address: EmailAddress, accounts: [AccountID], elsewhere: [EmailAddress] = [],
    parameters: RecipientParameters = RecipientParameters()
  ) {
    self.address = address
    self.accounts = accounts
    self.elsewhere = elsewhere
    self.parameters = parameters
  }

  /// Somebody at another server, named by the client itself and not by an alias of ours.
  var isDirect: Bool { accounts.isEmpty && elsewhere == [address] }
}
