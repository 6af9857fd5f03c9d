/// Mailboxes and subscriptions.
extension MailStore {
  /// All mailboxes of the account in name order, INBOX first.
  package func mailboxes(of account: AccountID) async throws(StoreError) -> [Mailbox] {
    let mailboxes = try await read { (snapshot) throws(StoreError) in
      let mailboxes = try snapshot.mailboxes(of: account)
      // Every account has INBOX.
      if mailboxes.isEmpty { throw .accountNotFound }
      return mailboxes
    }
    return mailboxes.map(publication.indexes.showingRecent)
  }

  package func mailbox(named name: MailboxName, of account: AccountID) async throws(StoreError) -> Mailbox? {
    try await read { (snapshot) throws(StoreError) in try snapshot.mailbox(named: name, of: account) }
      .map(publication.indexes.showingRecent)
  }

  /// Makes missing parents too, as real mailboxes.
  package func createMailbox(_ name: MailboxName, specialUse: SpecialUse?, of account: AccountID)
    async throws(StoreError)
    -> Mailbox
  {
    try await write { (transaction) throws(StoreError) in
      try transaction.createMailbox(name, specialUse: specialUse, of: account)
    }
  }

  /// Renames with all inferiors. Renaming INBOX moves its messages to a new mailbox and leaves it empty.  RFC 9051
  /// §6.3.6.
  package func renameMailbox(_ name: MailboxName, to newName: MailboxName, of account: AccountID)
    async throws(StoreError)
  {
    try await write { (transaction) throws(StoreError) in try transaction.renameMailbox(name, to: newName, of: account) }
  }

  /// A mailbox with children loses its messages and stays as a name that cannot be selected.
  package func deleteMailbox(_ name: MailboxName, of account: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.deleteMailbox(name, of: account) }
  }

  /// A subscription is to a name; the mailbox need not exist.  RFC 9051 §6.3.7.
  package func setSubscribed(_ subscribed: Bool, _ name: MailboxName, of account: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setSubscribed(subscribed, name, of: account) }
  }

  /// Subscribed names in order, of mailboxes that exist or not.
  package func subscriptions(of account: AccountID) async throws(StoreError) -> [MailboxName] {
    try await read { (snapshot) throws(StoreError) in try snapshot.subscriptions(of: account) }
  }
}
