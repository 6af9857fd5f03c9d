package import MessageFormat

/// Domains, accounts, aliases.
extension MailStore {
  /// As of the last commit.
  package var directory: Directory { engine.directory }

  package func addDomain(_ domain: Domain) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.addDomain(domain) }
  }

  /// Refuses while accounts or aliases are in it (`accountExists`, `addressExists`).
  package func removeDomain(_ domain: Domain) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.removeDomain(domain) }
  }

  /// Makes the account with INBOX, Drafts, Sent, Trash, Archive and Junk, all subscribed.
  package func addAccount(_ address: EmailAddress, secrets: [StoredSecret], quota: Quota) async throws(StoreError)
    -> AccountID
  {
    try await write { (transaction) throws(StoreError) in
      try transaction.addAccount(address, secrets: secrets, quota: quota)
    }
  }

  package func removeAccount(_ id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.removeAccount(id) }
  }

  package func setSecrets(_ secrets: [StoredSecret], of id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setSecrets(secrets, of: id) }
  }

  package func setAppPasswords(_ passwords: [AppPassword], of id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setAppPasswords(passwords, of: id) }
  }

  package func setQuota(_ quota: Quota, of id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setQuota(quota, of: id) }
  }

  package func quotaUsage(of id: AccountID) async throws(StoreError) -> QuotaUsage {
    try await read { (snapshot) throws(StoreError) in try snapshot.usage(of: id) }
  }

  /// Adds or replaces.
  package func setAlias(_ alias: Alias) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setAlias(alias) }
  }

  package func removeAlias(_ pattern: Alias.Pattern) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.removeAlias(pattern) }
  }
}
