package import MessageFormat

/// A hash to verify a password by: `SCRAM-SHA-256$<iterations>:<salt64>$<StoredKey64>:<ServerKey64>` (RFC 5803).
package struct StoredSecret: Hashable, Sendable {
  package let text: String
  package init(_ text: String) { self.text = text }
}

/// A further password of an account, made for one device and shown once.
package struct AppPassword: Hashable, Sendable {
  package var label: String
  package var secrets: [StoredSecret]
  package var created: Timestamp
  package init(label: String, secrets: [StoredSecret], created: Timestamp) {
    self.label = label
    self.secrets = secrets
    self.created = created
  }
}

/// Limits of an account; nil is no limit.
package struct Quota: Hashable, Sendable {
  package var bytes: Int64?
  package var messages: Int64?
  package init(bytes: Int64? = nil, messages: Int64? = nil) {
    self.bytes = bytes
    self.messages = messages
  }
}

package struct Account: Hashable, Sendable {
  package var id: AccountID
  /// The login name, and the account's first address.
  package var address: EmailAddress
  /// One for each SCRAM hash, all of the same password; empty where no password has been set.
  package var secrets: [StoredSecret]
  package var appPasswords: [AppPassword]
  package var quota: Quota
  package init(
    id: AccountID, address: EmailAddress, secrets: [StoredSecret], appPasswords: [AppPassword], quota: Quota
  ) {
    self.id = id
    self.address = address
    self.secrets = secrets
    self.appPasswords = appPasswords
    self.quota = quota
  }
}

package struct QuotaUsage: Hashable, Sendable {
  package var bytes: Int64
  package var messages: Int64
  package init(bytes: Int64, messages: Int64) {
    self.bytes = bytes
    self.messages = messages
  }
}

/// An address that stands for others.
package struct Alias: Hashable, Sendable {
  package enum Pattern: Hashable, Sendable {
    case address(EmailAddress)
    /// Every address of the domain that nothing else answers for.
    case catchAll(Domain)
  }
  package var pattern: Pattern
  package var targets: [EmailAddress]
  package init(pattern: Pattern, targets: [EmailAddress]) {
    self.pattern = pattern
    self.targets = targets
  }
}

/// Domains, accounts and aliases at one moment. A value: looking something up takes no lock and never waits.
package struct Directory: Sendable {
  package enum Answer: Hashable, Sendable {
    case account(AccountID)
    case alias([EmailAddress])
    /// The domain is ours, the address is not.
    case unknown
    case notLocal
  }
  package func isLocal(_ domain: Domain) -> Bool { fatalError("skeleton") }
  package var domains: [Domain] { fatalError("skeleton") }
  package var accounts: [Account] { fatalError("skeleton") }
  package var aliases: [Alias] { fatalError("skeleton") }
  package func account(_ id: AccountID) -> Account? { fatalError("skeleton") }
  /// By login name: the account's address, without regard to case.
  package func account(login: String) -> Account? { fatalError("skeleton") }
  /// One step: exact address, then without its `+detail`, then the domain's catch-all. Aliases are not followed.
  package func answer(for address: EmailAddress) -> Answer { fatalError("skeleton") }
  /// True if mail from `address` may be sent by the account: its own, an alias that leads to it, with or without detail.
  package func owns(_ account: AccountID, _ address: EmailAddress) -> Bool { fatalError("skeleton") }
}
