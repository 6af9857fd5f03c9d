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
  /// Whom else it may send as, besides the addresses that lead to it.
  package var sendAs: [SenderPattern]
  /// Its own, in place of those that count for all.
  package var sendingLimits: SendingLimits
  package init(
    id: AccountID, address: EmailAddress, secrets: [StoredSecret], appPasswords: [AppPassword], quota: Quota,
    sendAs: [SenderPattern] = [], sendingLimits: SendingLimits = SendingLimits()
  ) {
    self.sendAs = sendAs
    self.sendingLimits = sendingLimits
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

/// An address that stands for others: another name of an account, or a group.
package struct Alias: Hashable, Sendable {
  package enum Pattern: Hashable, Sendable {
    case address(EmailAddress)
    /// Every address of the domain that nothing else answers for.
    case catchAll(Domain)
  }
  /// Who may write to it. Only a login says who somebody is, so all but `anyone` keep out what other servers bring.
  package enum Senders: Hashable, Sendable {
    case anyone
    /// Accounts that it leads to, over other aliases too.
    case members
    /// Accounts of its domain.
    case domain
    case accounts([EmailAddress])
  }
  package var pattern: Pattern
  package var targets: [EmailAddress]
  package var senders: Senders
  /// Every account that it leads to may send as it, and not only one that it leads to alone.
  package var membersMaySend: Bool
  package init(
    pattern: Pattern, targets: [EmailAddress], senders: Senders = .anyone, membersMaySend: Bool = false
  ) {
    self.pattern = pattern
    self.targets = targets
    self.senders = senders
    self.membersMaySend = membersMaySend
  }
}

/// Domains, accounts and aliases at one moment. A value: looking something up takes no lock and never waits.
package struct Directory: Sendable {
  package enum Answer: Hashable, Sendable {
    case account(AccountID)
    case alias(Alias)
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
    if let alias = catchAlls[address.domain] { return .alias(alias) }
    return .unknown
  }

  private func exactAnswer(for key: String) -> Answer? {
    if let id = accountsByKey[key] { return .account(id) }
    return aliasesByKey[key].map { .alias($0) }
  }

  /// True if mail from `address` may be sent by the account: its own, one that leads to it alone, one of a group that
  /// it is in whose members may send, or one that it was granted; each with or without detail.
  package func maySend(_ id: AccountID, as address: EmailAddress) -> Bool {
    guard let account = accountsByID[id] else { return false }
    if account.sendAs.contains(where: { $0.covers(address) }) { return true }
    switch answer(for: address) {
    case .account(let owner): return owner == id
    case .alias(let alias): return maySend(id, as: alias)
    case .unknown, .notLocal: return false
    }
  }

  /// True if it need not be granted.
  package func maySend(_ id: AccountID, as alias: Alias) -> Bool {
    let members = members(of: alias)
    guard members.accounts.contains(id) else { return false }
    return alias.membersMaySend || members.accounts.count == 1 && !members.hasOthers
  }

  package func leads(_ alias: Alias, to id: AccountID) -> Bool { members(of: alias).accounts.contains(id) }

  /// True if the alias takes mail from the account; from somebody who has not logged in where that is nil.
  package func mayWrite(_ id: AccountID?, to alias: Alias) -> Bool {
    if alias.senders == .anyone { return true }
    guard let id, let account = accountsByID[id] else { return false }
    switch alias.senders {
    case .anyone: return true
    case .members: return members(of: alias).accounts.contains(id)
    case .domain: return account.address.domain == alias.pattern.parts.domain
    case .accounts(let addresses): return addresses.contains { answer(for: $0) == .account(id) }
    }
  }

  /// Whom an alias leads to in the end: accounts, and whether to anybody else.
  private func members(of alias: Alias) -> (accounts: Set<AccountID>, hasOthers: Bool) {
    var accounts: Set<AccountID> = []
    var hasOthers = false
    var seen: Set<String> = []
    var level = alias.targets
    for _ in 0...Self.aliasDepth {
      var next: [EmailAddress] = []
      for address in level {
        guard seen.count < Self.aliasBreadth else { return (accounts, true) }
        guard seen.insert(address.lookupKey).inserted else { continue }
        switch answer(for: address) {
        case .account(let id): accounts.insert(id)
        case .alias(let alias): next += alias.targets
        case .notLocal: hasOthers = true
        case .unknown: break
        }
      }
      guard !next.isEmpty else { return (accounts, hasOthers) }
      level = next
    }
    return (accounts, true)
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
