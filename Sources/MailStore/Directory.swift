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

  private var domainSet: Set<Domain> = []
  private var accountsByID: [AccountID: Account] = [:]
  private var accountsByKey: [String: AccountID] = [:]
  private var aliasesByKey: [String: Alias] = [:]
  private var catchAlls: [Domain: Alias] = [:]

  init() {}

  /// An alias that leads to aliases is followed this many steps, and over this many addresses in all.
  private static let aliasDepth = 10
  private static let aliasBreadth = 1_000

  package func isLocal(_ domain: Domain) -> Bool { domainSet.contains(domain) }
  package var domains: [Domain] { domainSet.sorted() }
  package var accounts: [Account] { accountsByID.values.sorted { $0.id < $1.id } }
  package var aliases: [Alias] {
    aliasesByKey.sorted { $0.key < $1.key }.map(\.value) + catchAlls.sorted { $0.key < $1.key }.map(\.value)
  }

  package func account(_ id: AccountID) -> Account? { accountsByID[id] }

  /// By login name: the account's address, without regard to case.
  package func account(login: String) -> Account? {
    guard let address = EmailAddress(login) else { return nil }
    return accountsByKey[address.lookupKey].flatMap { accountsByID[$0] }
  }

  /// One step: exact address, then without its `+detail`, then the domain's catch-all. Aliases are not followed.
  package func answer(for address: EmailAddress) -> Answer {
    guard domainSet.contains(address.domain) else { return .notLocal }
    if let answer = exactAnswer(for: address.lookupKey) { return answer }
    if let plain = address.withoutDetail, let answer = exactAnswer(for: plain.lookupKey) { return answer }
    if let alias = catchAlls[address.domain] { return .alias(alias.targets) }
    return .unknown
  }

  private func exactAnswer(for key: String) -> Answer? {
    if let id = accountsByKey[key] { return .account(id) }
    return aliasesByKey[key].map { .alias($0.targets) }
  }

  /// True if mail from `address` may be sent by the account: its own, an alias that leads to it, with or without
  /// detail.
  package func owns(_ account: AccountID, _ address: EmailAddress) -> Bool {
    var seen: Set<String> = []
    var level = [address]
    for _ in 0...Self.aliasDepth {
      var next: [EmailAddress] = []
      for address in level where seen.count < Self.aliasBreadth && seen.insert(address.lookupKey).inserted {
        switch answer(for: address) {
        case .account(let id): if id == account { return true }
        case .alias(let targets): next += targets
        case .unknown, .notLocal: break
        }
      }
      guard !next.isEmpty else { return false }
      level = next
    }
    return false
  }
}

/// Changes, made by the thread that writes to a copy of its own before that is published.
extension Directory {
  func alias(_ pattern: Alias.Pattern) -> Alias? {
    switch pattern {
    case .address(let address): aliasesByKey[address.lookupKey]
    case .catchAll(let domain): catchAlls[domain]
    }
  }

  func accountID(withKey key: String) -> AccountID? { accountsByKey[key] }
  func hasAccounts(in domain: Domain) -> Bool { accountsByID.values.contains { $0.address.domain == domain } }
  func hasAliases(in domain: Domain) -> Bool {
    catchAlls[domain] != nil
      || aliasesByKey.values.contains {
        if case .address(let address) = $0.pattern { address.domain == domain } else { false }
      }
  }

  mutating func add(_ domain: Domain) { domainSet.insert(domain) }
  mutating func remove(_ domain: Domain) { domainSet.remove(domain) }

  mutating func set(_ account: Account) {
    accountsByID[account.id] = account
    accountsByKey[account.address.lookupKey] = account.id
  }

  mutating func remove(_ account: AccountID) {
    guard let account = accountsByID.removeValue(forKey: account) else { return }
    accountsByKey[account.address.lookupKey] = nil
  }

  mutating func set(_ alias: Alias) {
    switch alias.pattern {
    case .address(let address): aliasesByKey[address.lookupKey] = alias
    case .catchAll(let domain): catchAlls[domain] = alias
    }
  }

  mutating func removeAlias(_ pattern: Alias.Pattern) {
    switch pattern {
    case .address(let address): aliasesByKey[address.lookupKey] = nil
    case .catchAll(let domain): catchAlls[domain] = nil
    }
  }
}

extension EmailAddress {
  /// Without `+detail`; nil where there is none.  RFC 5233 §1.
  var withoutDetail: EmailAddress? {
    guard let plus = localPart.utf8.firstIndex(of: UInt8(ascii: "+")), plus > localPart.startIndex else { return nil }
    return EmailAddress(localPart: String(localPart[..<plus]), domain: domain)
  }
}
