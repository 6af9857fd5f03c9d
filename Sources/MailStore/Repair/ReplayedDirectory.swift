/// Accounts, aliases and mailboxes as the packs say them so far. Names may still collide: nothing is settled until all
/// is read.
struct ReplayedDirectory {
  struct AccountState {
    var account: RecordedAccount
    var passwords: [RecordedPassword] = []
    var rules: RecordedSendingRules?
    /// False where only messages tell of it, and not of its passwords and limits.
    var isWhole: Bool
  }

  var domains: Set<String> = []
  var accounts: [Int64: AccountState] = [:]
  var aliases: [String: RecordedAlias] = [:]
  var subscriptions: [Int64: Set<String>] = [:]
  /// By domain and selector.
  var signingKeys: [String: [String: RecordedSigningKey]] = [:]
  /// One whose name nothing has told yet has an empty one, and account 0 where that is not known either.
  private(set) var mailboxes: [Int64: RecordedMailbox] = [:]
  private var mailboxesOfAccount: [Int64: Set<Int64>] = [:]
  /// With the times at which their messages were deleted.
  private(set) var removedAccounts: [Int64: Int64] = [:]
  private(set) var removedMailboxes: Set<Int64> = []

  func mailboxes(of account: Int64) -> [RecordedMailbox] {
    (mailboxesOfAccount[account] ?? []).compactMap { mailboxes[$0] }
  }

  // MARK: Accounts

  mutating func set(_ account: RecordedAccount) {
    var account = account
    if let known = accounts[account.id]?.account {
      account.lastUIDValidity = max(account.lastUIDValidity, known.lastUIDValidity)
    }
    accounts[account.id, default: AccountState(account: account, isWhole: true)].account = account
    accounts[account.id]?.isWhole = true
    domains.insert(account.domain)
  }

  /// What a message says of the account it came to.
  mutating func meet(account id: Int64, address: String) {
    guard accounts[id] == nil else { return }
    let parts = address.split(separator: "@", omittingEmptySubsequences: false)
    let domain = parts.last.map(String.init) ?? ""
    accounts[id] = AccountState(
      account: RecordedAccount(
        id: id, localPart: parts.dropLast().joined(separator: "@"), domain: domain, secrets: "", quotaBytes: nil,
        quotaMessages: nil, lastUIDValidity: 0),
      isWhole: false)
    domains.insert(domain)
  }

  /// Returns its mailboxes, which are gone too.
  mutating func removeAccount(_ id: Int64, at time: Int64) -> [Int64] {
    accounts[id] = nil
    subscriptions[id] = nil
    removedAccounts[id] = time
    let gone = mailboxesOfAccount.removeValue(forKey: id) ?? []
    for mailbox in gone { mailboxes[mailbox] = nil }
    removedMailboxes.formUnion(gone)
    return Array(gone)
  }

  // MARK: Mailboxes

  mutating func set(_ mailbox: RecordedMailbox) {
    var mailbox = mailbox
    if let known = mailboxes[mailbox.id] {
      // The messages of the group stand before it and may have said more.
      mailbox.uidNext = max(mailbox.uidNext, known.uidNext)
      mailbox.modSequence = max(mailbox.modSequence, known.modSequence)
      if known.account != mailbox.account { mailboxesOfAccount[known.account]?.remove(mailbox.id) }
    }
    mailboxes[mailbox.id] = mailbox
    mailboxesOfAccount[mailbox.account, default: []].insert(mailbox.id)
    let validity = accounts[mailbox.account]?.account.lastUIDValidity ?? 0
    accounts[mailbox.account]?.account.lastUIDValidity = max(validity, mailbox.uidValidity)
  }

  /// What a message says of the mailbox it came to. False where the mailbox has had its UID before: then it is the copy
  /// of an older record, and other records have told since what became of the entry.
  mutating func meet(_ placement: PackRecord.Placement) -> Bool {
    meet(account: placement.account, address: placement.address)
    guard placement.uid < .max else { return false }
    if var known = mailboxes[placement.mailbox], known.account == placement.account {
      guard placement.uid >= known.uidNext else { return false }
      known.uidNext = placement.uid + 1
      known.modSequence = max(known.modSequence, placement.modSequence)
      // Of two names the later one is true; what a change record says of it comes after.
      known.name = placement.mailboxName
      known.uidValidity = placement.uidValidity
      known.isSelectable = true
      mailboxes[placement.mailbox] = known
    } else {
      set(
        RecordedMailbox(
          id: placement.mailbox, account: placement.account, name: placement.mailboxName, specialUse: nil,
          isSelectable: true, uidValidity: placement.uidValidity, uidNext: placement.uid + 1,
          modSequence: placement.modSequence))
    }
    return true
  }

  /// The mailbox has had this UID and this mod-sequence.
  mutating func meet(mailbox id: Int64, uid: UInt32, modSequence: Int64) {
    if mailboxes[id] == nil {
      set(
        RecordedMailbox(
          id: id, account: 0, name: "", specialUse: nil, isSelectable: true, uidValidity: 0, uidNext: 1, modSequence: 1
        ))
    }
    let next = uid < .max ? uid + 1 : uid
    mailboxes[id]!.uidNext = max(mailboxes[id]!.uidNext, next)
    mailboxes[id]!.modSequence = max(mailboxes[id]!.modSequence, modSequence)
  }

  mutating func removeMailbox(_ id: Int64) {
    guard let gone = mailboxes.removeValue(forKey: id) else { return }
    mailboxesOfAccount[gone.account]?.remove(id)
    removedMailboxes.insert(id)
  }

  // MARK: Baselines

  /// Nothing else is there. Returns the mailboxes that are gone.
  mutating func keepOnly(domains: [String], accounts: [Int64], aliases: [String]) -> [Int64] {
    self.domains = Set(domains)
    signingKeys = [:]
    let keptAliases = Set(aliases)
    self.aliases = self.aliases.filter { keptAliases.contains($0.key) }
    let keptAccounts = Set(accounts)
    var gone: [Int64] = []
    for id in Set(self.accounts.keys).union(mailboxesOfAccount.keys) where !keptAccounts.contains(id) {
      gone += removeAccount(id, at: 0)
    }
    return gone
  }

  /// The account has no others. Returns the mailboxes that are gone.
  mutating func keepOnly(_ kept: [Int64], of account: Int64) -> [Int64] {
    let gone = (mailboxesOfAccount[account] ?? []).subtracting(kept)
    for mailbox in gone { removeMailbox(mailbox) }
    return Array(gone)
  }
}
