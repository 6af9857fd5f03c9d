import Authentication
import Cryptography
import DKIM
package import Delivery
import Dispatch
package import Logging
package import MailStore
package import MessageFormat

/// Performs administrative operations: the one place where they are done, with or without a running server.
package struct Administration: Sendable {
  let store: MailStore
  let clock: WallClock
  let logger: Logger
  /// No server works with the store beside this.
  let isAlone: Bool
  /// The running server's.
  let metrics: MetricsRegistry?
  /// The same.
  private let knownKeys: DomainKeys?
  /// Octets of one message that is imported.
  let messageSize: Int
  /// What an account may send, where it has no limits of its own.
  let sendingLimits: SendingLimits

  package init(
    store: MailStore, clock: WallClock, logger: Logger, metrics: MetricsRegistry? = nil, keys: DomainKeys? = nil,
    isAlone: Bool = false, messageSize: Int = ServerLimits().messageSize, sendingLimits: SendingLimits = .standard
  ) {
    self.sendingLimits = sendingLimits
    knownKeys = keys
    self.store = store
    self.clock = clock
    self.logger = logger
    self.isAlone = isAlone
    self.metrics = metrics
    self.messageSize = messageSize
  }

  /// `status` is the server's own matter and is not answered here. A long operation ends early, where it can, when the
  /// task is cancelled.
  /// - Parameter progress: told how far a long operation is.
  package func perform(
    _ operation: AdministrativeOperation, progress: @escaping ProgressHandler = { _ in }
  ) async -> AdministrativeReply {
    do throws(Refusal) {
      return try await reply(to: operation, progress)
    } catch {
      return .failed(error.text)
    }
  }

  private func reply(
    to operation: AdministrativeOperation, _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    switch operation {
    case .status: throw Refusal("no server is running")
    case .importMail, .exportMail: throw Refusal("mail travels over a control connection of its own")
    case .addDomain(let name): return try await addDomain(name)
    case .removeDomain(let name): return try await removeDomain(name)
    case .domainKeys(let name, let replaces): return try await domainKeys(name, replaces: replaces)
    case .listDomains: return .domains(store.directory.domains.map(\.text).sorted())
    case .mailDomain(let name): return try await mailDomain(name)
    case .addAccount(let address, let password, let quota):
      return try await addAccount(address, password: password, quota: quota)
    case .removeAccount(let address):
      let account = try account(address)
      try await stored("account \(account.address)") { () throws(StoreError) in
        try await store.removeAccount(account.id)
      }
      logger.notice("account_removed", metadata: ["user": "\(account.address)"])
      return .done("account \(account.address) removed with its mail")
    case .listAccounts:
      var summaries: [AccountSummary] = []
      for account in store.directory.accounts.sorted(by: { $0.address.lookupKey < $1.address.lookupKey }) {
        summaries.append(try await summary(account))
      }
      return .accounts(summaries)
    case .setPassword(let address, let password):
      let account = try account(address)
      let secrets = try await secrets(for: password)
      try await stored("account \(account.address)") { () throws(StoreError) in
        try await store.setSecrets(secrets, of: account.id)
      }
      logger.notice("password_changed", metadata: ["user": "\(account.address)"])
      return .done("password of \(account.address) changed")
    case .quota(let address, let change):
      let account = try account(address)
      if let change {
        try await stored("account \(account.address)") { () throws(StoreError) in
          try await store.setQuota(Quota(bytes: change.bytes, messages: change.messages), of: account.id)
        }
      }
      return .account(try await summary(try self.account(address)))
    case .addAppPassword(let address, let label): return try await addAppPassword(address, label: label)
    case .listAppPasswords(let address):
      return .appPasswords(
        try account(address).appPasswords.map { AppPasswordSummary(label: $0.label, created: iso8601($0.created)) })
    case .removeAppPassword(let address, let label): return try await removeAppPassword(address, label: label)
    case .accountDetails(let address): return try await accountDetails(address)
    case .sendAs(let address, let change): return try await sendAs(address, change)
    case .sendingLimits(let address, let change): return try await sendingLimits(address, change)
    case .addAlias(let pattern, let targets, let senders, let membersMaySend):
      return try await addAlias(pattern, targets: targets, senders: senders, membersMaySend: membersMaySend)
    case .removeAlias(let text):
      let pattern = try aliasPattern(text)
      try await stored("alias \(text)") { () throws(StoreError) in try await store.removeAlias(pattern) }
      logger.notice("alias_removed", metadata: ["alias": "\(text)"])
      return .done("alias \(text) removed")
    case .listAliases:
      return .aliases(
        store.directory.aliases
          .map {
            AliasSummary(
              pattern: $0.pattern.text, targets: $0.targets.map(\.description), senders: $0.senders.text,
              membersMaySend: $0.membersMaySend)
          }
          .sorted { $0.pattern < $1.pattern })
    case .verifyStore(let isThorough, let octetsPerSecond):
      return try await verifyStore(isThorough: isThorough, octetsPerSecond: octetsPerSecond, progress)
    case .compactStore(let octetsPerSecond):
      return try await compactStore(octetsPerSecond: octetsPerSecond, progress)
    case .searchIndex(let rebuild):
      if rebuild {
        logger.notice("search_index_rebuild")
        await store.rebuildSearchIndex(progress: progress)
      }
      return .searchIndex(try await searchIndexSummary())
    case .storeStatistics:
      let statistics = try await stored("the store") { () throws(StoreError) in try await store.statistics() }
      return .statistics(
        StoreStatisticsReport(
          store: statistics, searchIndex: try await searchIndexSummary(), metrics: metrics?.summaries()))
    case .backUpStore(let directory, let verifies, let octetsPerSecond):
      return try await backUpStore(to: directory, verifies: verifies, octetsPerSecond: octetsPerSecond, progress)
    case .restoreMessages(let directory, let text): return try await restoreMessages(text, from: directory, progress)
    case .listQueue(let filter, let limit): return try await listQueue(filter, limit: limit)
    case .changeQueue(let action, let filter): return try await changeQueue(action, filter)
    case .listMessages(let address, let mailbox, let isDeleted, let limit):
      return try await listMessages(of: address, in: mailbox, isDeleted: isDeleted, limit: limit)
    case .undeleteMessages(let address, let ids, let mailbox, let since, let into):
      return try await undeleteMessages(of: address, ids: ids, in: mailbox, since: since, into: into, progress)
    }
  }
}

extension Administration {
  private func searchIndexSummary() async throws(Refusal) -> SearchIndexSummary {
    try await stored("the search index") { () throws(StoreError) in
      SearchIndexSummary(try await store.searchIndexState())
    }
  }
}

extension SearchIndexSummary {
  fileprivate init(_ state: SearchIndexState) {
    switch state.condition {
    case .current: condition = .current
    case .behind: condition = .behind
    case .unavailable(let text):
      condition = .unavailable
      reason = text
    }
    indexedMessages = state.indexedMessages
    waitingMessages = state.waitingMessages
    unlistedMessages = state.unlistedMessages
    size = state.size
  }
}

// MARK: Domains

extension Administration {
  private func addDomain(_ name: String) async throws(Refusal) -> AdministrativeReply {
    let domain = try domain(name)
    try await stored("domain \(domain)") { () throws(StoreError) in try await store.addDomain(domain) }
    logger.notice("domain_added", metadata: ["domain": "\(domain)"])
    return .done("domain \(domain) added")
  }

  private func removeDomain(_ name: String) async throws(Refusal) -> AdministrativeReply {
    let domain = try domain(name)
    do throws(StoreError) {
      try await store.removeDomain(domain)
    } catch .accountExists, .addressExists {
      throw Refusal("domain \(domain): accounts or aliases are still in it")
    } catch {
      throw Refusal("domain \(domain): \(error.inWords)")
    }
    logger.notice("domain_removed", metadata: ["domain": "\(domain)"])
    return .done("domain \(domain) removed")
  }

  /// Without a server nobody looks into DNS.
  var signingKeys: DomainKeys {
    knownKeys ?? DomainKeys(store: store, resolver: nil, clock: clock, logger: logger)
  }

  private func domainKeys(_ name: String, replaces: Bool) async throws(Refusal) -> AdministrativeReply {
    let domain = try domain(name)
    guard store.directory.isLocal(domain) else {
      throw Refusal("\(domain) is not a domain of this server; add it first: martlet domain add \(domain)")
    }
    do throws(DomainKeyError) {
      return .domainKeys(try await signingKeys.keys(of: domain, replaces: replaces).map { DomainKeySummary($0) })
    } catch {
      throw Refusal("\(error)")
    }
  }

  private func domain(_ name: String) throws(Refusal) -> Domain {
    guard let domain = Domain(name), !name.hasPrefix("[") else { throw Refusal("\(quoted(name)) is not a domain") }
    return domain
  }
}

// MARK: Accounts

extension Administration {
  private func addAccount(_ text: String, password: String?, quota: QuotaText) async throws(Refusal)
    -> AdministrativeReply
  {
    let address = try address(text)
    guard store.directory.isLocal(address.domain) else {
      throw Refusal(
        "\(address.domain) is not a domain of this server; add it first: martlet domain add \(address.domain)")
    }
    let secrets = if let password { try await secrets(for: password) } else { [StoredSecret]() }
    try await stored("account \(address)") { () throws(StoreError) in
      _ = try await store.addAccount(
        address, secrets: secrets, quota: Quota(bytes: quota.bytes, messages: quota.messages))
    }
    logger.notice("account_added", metadata: ["user": "\(address)"])
    return .done(
      password == nil
        ? "account \(address) added; nobody can log in until it has a password: martlet account passwd \(address)"
        : "account \(address) added")
  }

  private func addAppPassword(_ text: String, label: String) async throws(Refusal) -> AdministrativeReply {
    let account = try account(text)
    guard !label.isEmpty, label.utf8.count <= 200 else { throw Refusal("a label has 1 to 200 octets") }
    guard !account.appPasswords.contains(where: { $0.label == label }) else {
      throw Refusal("\(account.address) already has an app password called \(quoted(label))")
    }
    guard account.appPasswords.count < 50 else { throw Refusal("50 app passwords are the limit; remove one first") }
    let password = makeAppPassword()
    let made = AppPassword(label: label, secrets: try await secrets(for: password), created: clock.now())
    try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.setAppPasswords(account.appPasswords + [made], of: account.id)
    }
    logger.notice("app_password_added", metadata: ["user": "\(account.address)", "label": "\(label)"])
    return .appPassword(label: label, password: password)
  }

  private func removeAppPassword(_ text: String, label: String) async throws(Refusal) -> AdministrativeReply {
    let account = try account(text)
    let kept = account.appPasswords.filter { $0.label != label }
    guard kept.count < account.appPasswords.count else {
      throw Refusal("\(account.address) has no app password called \(quoted(label))")
    }
    try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.setAppPasswords(kept, of: account.id)
    }
    logger.notice("app_password_removed", metadata: ["user": "\(account.address)", "label": "\(label)"])
    return .done("app password \(quoted(label)) of \(account.address) removed")
  }

  func summary(_ account: Account) async throws(Refusal) -> AccountSummary {
    let usage = try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.quotaUsage(of: account.id)
    }
    return AccountSummary(
      address: account.address.description, hasPassword: !account.secrets.isEmpty,
      appPasswords: account.appPasswords.map(\.label),
      usage: QuotaText(bytes: usage.bytes, messages: usage.messages),
      quota: QuotaText(bytes: account.quota.bytes, messages: account.quota.messages))
  }

  func account(_ text: String) throws(Refusal) -> Account {
    guard let account = store.directory.account(login: try address(text).description) else {
      throw Refusal("there is no account \(text)")
    }
    return account
  }

  func address(_ text: String) throws(Refusal) -> EmailAddress {
    guard let address = EmailAddress(text) else {
      throw Refusal("\(quoted(text)) is not an address such as a@example.org")
    }
    return address
  }

  /// Derives the stored hashes away from Swift's shared threads: it takes tens of milliseconds by design.
  private func secrets(for password: String) async throws(Refusal) -> [StoredSecret] {
    guard !password.isEmpty else { throw Refusal("an empty password is none") }
    guard password.utf8.count <= 1_000 else { throw Refusal("a password has at most 1000 octets") }
    return await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: storedSecrets(for: password)) }
    }
  }
}

// MARK: Aliases

extension Administration {
  /// - Parameters:
  ///   - senders: who may write to it; nil leaves it as it was, which is anyone for a new one.
  ///   - membersMaySend: nil leaves it as it was.
  private func addAlias(
    _ text: String, targets: [String], senders: String?, membersMaySend: Bool?
  ) async throws(Refusal) -> AdministrativeReply {
    let pattern = try aliasPattern(text)
    guard !targets.isEmpty else { throw Refusal("an alias needs at least one target") }
    var addresses: [EmailAddress] = []
    for target in targets {
      let address = try address(target)
      if !addresses.contains(address) { addresses.append(address) }
    }
    let domain =
      switch pattern {
      case .address(let address): address.domain
      case .catchAll(let domain): domain
      }
    guard store.directory.isLocal(domain) else {
      throw Refusal("\(domain) is not a domain of this server; add it first: martlet domain add \(domain)")
    }
    let before = store.directory.aliases.first { $0.pattern.text == pattern.text }
    let alias = Alias(
      pattern: pattern, targets: addresses, senders: try senders.map(aliasSenders) ?? before?.senders ?? .anyone,
      membersMaySend: membersMaySend ?? before?.membersMaySend ?? false)
    try await stored("alias \(text)") { () throws(StoreError) in try await store.setAlias(alias) }
    logger.notice("alias_added", metadata: ["alias": "\(text)"])
    return .done("alias \(pattern.text) leads to \(addresses.map(\.description).joined(separator: ", "))")
  }

  /// `anyone`, `members`, `domain`, or accounts separated by commas.
  private func aliasSenders(_ text: String) throws(Refusal) -> Alias.Senders {
    switch text {
    case "anyone": return .anyone
    case "members": return .members
    case "domain": return .domain
    default:
      var accounts: [EmailAddress] = []
      for part in text.split(separator: ",") {
        guard part.contains("@") else {
          throw Refusal("senders: expected anyone, members, domain, or accounts with commas, not \(quoted(text))")
        }
        accounts.append(try account(String(part.trimmingPrefix(" "))).address)
      }
      guard !accounts.isEmpty else { throw Refusal("senders: expected anyone, members, domain, or accounts") }
      return .accounts(accounts)
    }
  }

  private func aliasPattern(_ text: String) throws(Refusal) -> Alias.Pattern {
    text.hasPrefix("@") ? .catchAll(try domain(String(text.dropFirst()))) : .address(try address(text))
  }
}

extension Alias.Pattern {
  /// As a person writes it: an address, or `@domain`.
  var text: String {
    switch self {
    case .address(let address): address.description
    case .catchAll(let domain): "@\(domain)"
    }
  }
}

extension Alias.Senders {
  fileprivate var text: String {
    switch self {
    case .anyone: "anyone"
    case .members: "members"
    case .domain: "domain"
    case .accounts(let accounts): accounts.map(\.description).joined(separator: ",")
    }
  }
}

/// Five groups of four letters and digits that are not mistaken for each other: 100 bits.
private func makeAppPassword() -> String {
  let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)
  let letters = randomBytes(20).map { alphabet[Int($0 & 31)] }
  let groups = stride(from: 0, to: 20, by: 4).map { String(decoding: letters[$0..<$0 + 4], as: UTF8.self) }
  return groups.joined(separator: "-")
}

/// Why an operation is not done, in words for the administrator.
struct Refusal: Error {
  let text: String
  init(_ text: String) { self.text = text }
}

/// Runs a store call and puts its error into words; `subject` is what the call was about.
func stored<Result>(
  _ subject: String, _ body: () async throws(StoreError) -> Result
) async throws(Refusal) -> Result {
  do throws(StoreError) {
    return try await body()
  } catch {
    throw Refusal("\(subject): \(error.inWords)")
  }
}
