package import MailStore
package import MessageFormat

/// Says for each recipient where it goes. `postmaster` always exists: without an account or alias of that name it leads
/// to the first account (RFC 5321 §4.5.1).
package struct Router: Sendable {
  /// Aliases of aliases, and so on. People nest two or three.
  static let longestAliasChain = 10
  /// Addresses looked at for one recipient, so that nested lists cannot multiply without end.
  static let mostLookups = 2_000

  private let store: MailStore
  private let unknown: UnknownRecipientPolicy
  private let rewriting: SenderRewriting?
  private let clock: WallClock
  /// Whom `RCPT TO:<postmaster>` without a domain is for.
  package let postmaster: EmailAddress

  /// - Parameter rewriting: by which senders of forwarded messages were rewritten, whose bounces come back here.
  package init(
    store: MailStore, hostname: Domain, unknown: UnknownRecipientPolicy, rewriting: SenderRewriting? = nil,
    clock: WallClock = .system
  ) {
    self.store = store
    self.unknown = unknown
    self.rewriting = rewriting
    self.clock = clock
    postmaster = EmailAddress(localPart: "postmaster", domain: hostname)
  }

  /// Whether an alias is open to the sender is asked of the one that is written to, not of those it leads to: who
  /// has put it into another opens it to that one's senders.
  package func route(_ recipient: EmailAddress, from origin: RouteOrigin) async throws(StoreError) -> Route {
    let directory = store.directory
    switch directory.answer(for: recipient) {
    case .account(let account): return .deliver([account], elsewhere: [])
    case .alias(let alias):
      guard isOpen(alias, to: origin, directory) else { return .closed }
      var expansion = Expansion()
      try await follow(alias.targets, in: directory, chain: [recipient.lookupKey], into: &expansion)
      return expansion.route
    case .unknown:
      if let sender = rewrittenSender(recipient, in: directory) { return .deliver([], elsewhere: [sender]) }
      if let first = postmasterAccount(for: recipient, in: directory) { return .deliver([first], elsewhere: []) }
      return unknown == .createAccount ? .deliver([try await makeAccount(recipient)], elsewhere: []) : .unknown
    case .notLocal:
      if let first = postmasterAccount(for: recipient, in: directory) { return .deliver([first], elsewhere: []) }
      return unknown == .createAccount ? .deliver([try await makeAccount(recipient)], elsewhere: []) : .remote
    }
  }

  private func isOpen(_ alias: Alias, to origin: RouteOrigin, _ directory: Directory) -> Bool {
    switch origin {
    case .account(let account): directory.mayWrite(account, to: alias)
    case .elsewhere: directory.mayWrite(nil, to: alias)
    case .server: true
    }
  }

  /// What following an alias has found so far.
  private struct Expansion {
    var accounts: [AccountID] = []
    var seenAccounts: Set<AccountID> = []
    var elsewhere: [EmailAddress] = []
    var seenElsewhere: Set<String> = []
    var lookups = 0
    var isCircle = false

    mutating func add(_ account: AccountID) {
      if seenAccounts.insert(account).inserted { accounts.append(account) }
    }

    mutating func add(elsewhere address: EmailAddress) {
      if seenElsewhere.insert(address.lookupKey).inserted { elsewhere.append(address) }
    }

    var route: Route {
      if isCircle { return .loop }
      return accounts.isEmpty && elsewhere.isEmpty ? .unknown : .deliver(accounts, elsewhere: elsewhere)
    }
  }

  private func follow(
    _ targets: [EmailAddress], in directory: Directory, chain: [String], into expansion: inout Expansion
  ) async throws(StoreError) {
    for target in targets {
      expansion.lookups += 1
      let key = target.lookupKey
      guard expansion.lookups <= Self.mostLookups, chain.count <= Self.longestAliasChain, !chain.contains(key) else {
        expansion.isCircle = true
        return
      }
      switch directory.answer(for: target) {
      case .account(let account): expansion.add(account)
      case .alias(let next):
        try await follow(next.targets, in: directory, chain: chain + [key], into: &expansion)
        if expansion.isCircle { return }
      case .unknown where unknown == .createAccount, .notLocal where unknown == .createAccount:
        expansion.add(try await makeAccount(target))
      // A target that is gone does not stop mail for the others.
      case .unknown: continue
      case .notLocal: expansion.add(elsewhere: target)
      }
    }
  }

  /// Whom a bounce to an address that we have made is for.
  private func rewrittenSender(_ recipient: EmailAddress, in directory: Directory) -> EmailAddress? {
    guard let sender = (try? rewriting?.original(of: recipient, at: clock.now())) ?? nil,
      !directory.isLocal(sender.domain)
    else { return nil }
    return sender
  }

  private func postmasterAccount(for recipient: EmailAddress, in directory: Directory) -> AccountID? {
    guard recipient.localPart.lowercased() == "postmaster",
      recipient.domain == postmaster.domain || directory.isLocal(recipient.domain)
    else { return nil }
    return directory.accounts.lazy.map(\.id).min()
  }

  /// Makes domain and account where they are missing. Somebody else may do the same at the same moment.
  private func makeAccount(_ recipient: EmailAddress) async throws(StoreError) -> AccountID {
    let base = recipient.localPart.prefix { $0 != "+" }
    let address = base.isEmpty ? recipient : EmailAddress(localPart: String(base), domain: recipient.domain)
    if !store.directory.isLocal(address.domain) {
      do { try await store.addDomain(address.domain) } catch .domainExists {}
    }
    do {
      return try await store.addAccount(address, secrets: [], quota: Quota())
    } catch .accountExists, .addressExists {
      guard case .account(let account) = store.directory.answer(for: address) else { throw .accountNotFound }
      return account
    }
  }
}
