import MessageFormat
import SQLite

/// Domains, accounts and aliases, as they are changed inside a group.
extension WriteContext {
  func addDomain(_ domain: Domain) throws(StoreError) {
    guard !directory.isLocal(domain) else { throw .domainExists }
    try database.change("INSERT INTO domains VALUES (?)", .text(domain.text))
    record(.domain(domain.text))
    changeDirectory { $0.add(domain) }
  }

  func removeDomain(_ domain: Domain) throws(StoreError) {
    guard directory.isLocal(domain) else { throw .domainNotFound }
    guard !directory.hasAccounts(in: domain) else { throw .accountExists }
    guard !directory.hasAliases(in: domain) else { throw .addressExists }
    try database.change("DELETE FROM domains WHERE name = ?", .text(domain.text))
    record(.domainRemoved(domain.text))
    changeDirectory { $0.remove(domain) }
  }

  func addAccount(_ address: EmailAddress, secrets: [StoredSecret], quota: Quota) throws(StoreError) -> AccountID {
    guard directory.isLocal(address.domain) else { throw .domainNotFound }
    guard directory.accountID(withKey: address.lookupKey) == nil else { throw .accountExists }
    guard directory.alias(.address(address)) == nil else { throw .addressExists }
    let id = AccountID(rawValue: newID())
    try database.change(
      """
      INSERT INTO accounts (id, local_part, domain, lookup_key, secrets, quota_bytes, quota_messages)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """,
      .integer(id.rawValue), .text(address.localPart), .text(address.domain.text), .text(address.lookupKey),
      .text(StoredSecret.encode(secrets)), .integer(quota.bytes), .integer(quota.messages))
    let account = Account(id: id, address: address, secrets: secrets, appPasswords: [], quota: quota)
    changeDirectory { $0.set(account) }
    record(.account(RecordedAccount(account)))
    // In exactly these names: others keep clients from recognising them, and make them add their own.
    for (name, use) in Self.firstMailboxes {
      let mailbox = try insertMailbox(MailboxName(stored: name), specialUse: use, of: id)
      try setSubscribed(true, mailbox.name, of: id)
    }
    return id
  }

  private static let firstMailboxes: [(String, SpecialUse?)] = [
    ("INBOX", nil), ("Drafts", .drafts), ("Sent", .sent), ("Trash", .trash), ("Archive", .archive), ("Junk", .junk),
  ]

  /// Its messages become orphans, which are removed for good with all others after their time. None of them can be
  /// restored: there is no account any more that they would belong to.
  func removeAccount(_ id: AccountID) throws(StoreError) {
    guard directory.account(id) != nil else { throw .accountNotFound }
    for mailbox in try database.mailboxes(of: id) {
      try database.change("DELETE FROM entries WHERE mailbox = ?", .integer(mailbox.id.rawValue))
      try database.change("DELETE FROM vanished WHERE mailbox = ?", .integer(mailbox.id.rawValue))
      remove(mailbox)
      note(.mailboxDeleted(mailbox.id), of: id)
    }
    let now = clock.now().microseconds
    try database.change(
      "UPDATE messages SET entries = 0, orphaned_at = ? WHERE account = ? AND orphaned_at IS NULL", .integer(now),
      .integer(id.rawValue))
    try database.change("DELETE FROM mailboxes WHERE account = ?", .integer(id.rawValue))
    try database.change("DELETE FROM threads WHERE account = ?", .integer(id.rawValue))
    try database.change("DELETE FROM deleted_entries WHERE account = ?", .integer(id.rawValue))
    try database.forgetImports(of: id.rawValue)
    // Subscriptions, app passwords and all about its sending go with it.
    try database.change("DELETE FROM accounts WHERE id = ?", .integer(id.rawValue))
    forget(id)
    record(.accountRemoved(id.rawValue, at: now))
    changeDirectory { $0.remove(id) }
    note(.mailboxList, of: id)
  }

  private func changeAccount(_ id: AccountID, _ body: (inout Account) -> Void) throws(StoreError) {
    guard var account = directory.account(id) else { throw .accountNotFound }
    body(&account)
    changeDirectory { $0.set(account) }
    record(.account(RecordedAccount(account)))
  }

  func setSecrets(_ secrets: [StoredSecret], of id: AccountID) throws(StoreError) {
    try changeAccount(id) { $0.secrets = secrets }
    try database.change(
      "UPDATE accounts SET secrets = ? WHERE id = ?", .text(StoredSecret.encode(secrets)), .integer(id.rawValue))
  }

  func setAppPasswords(_ passwords: [AppPassword], of id: AccountID) throws(StoreError) {
    guard var account = directory.account(id) else { throw .accountNotFound }
    account.appPasswords = passwords
    changeDirectory { $0.set(account) }
    record(.appPasswords(account: id.rawValue, passwords.map { RecordedPassword($0) }))
    try database.change("DELETE FROM app_passwords WHERE account = ?", .integer(id.rawValue))
    for (position, password) in passwords.enumerated() {
      try database.change(
        "INSERT INTO app_passwords (account, position, label, secrets, created) VALUES (?, ?, ?, ?, ?)",
        .integer(id.rawValue), .integer(Int64(position)), .text(password.label),
        .text(StoredSecret.encode(password.secrets)), .integer(password.created.microseconds))
    }
  }

  func setQuota(_ quota: Quota, of id: AccountID) throws(StoreError) {
    try changeAccount(id) { $0.quota = quota }
    try database.change(
      "UPDATE accounts SET quota_bytes = ?, quota_messages = ? WHERE id = ?", .integer(quota.bytes),
      .integer(quota.messages), .integer(id.rawValue))
    var row = try account(id)
    row.quota = quota
    update(row)
  }

  func setAlias(_ alias: Alias) throws(StoreError) {
    guard directory.isLocal(alias.pattern.parts.domain) else { throw .domainNotFound }
    if case .address(let address) = alias.pattern, directory.accountID(withKey: address.lookupKey) != nil {
      throw .addressExists
    }
    let recorded = RecordedAlias(alias)
    try database.setAlias(recorded)
    record(.alias(recorded))
    changeDirectory { $0.set(alias) }
  }

  func removeAlias(_ pattern: Alias.Pattern) throws(StoreError) {
    guard directory.alias(pattern) != nil else { throw .addressNotFound }
    try database.change("DELETE FROM aliases WHERE pattern = ?", .text(pattern.key))
    record(.aliasRemoved(pattern: pattern.key))
    changeDirectory { $0.removeAlias(pattern) }
  }
}

extension StoredSecret {
  static func encode(_ secrets: [StoredSecret]) -> String { secrets.map(\.text).joined(separator: "\n") }
  static func decode(_ text: String) -> [StoredSecret] { text.split(separator: "\n").map { StoredSecret(String($0)) } }
}

extension Database {
  /// Adds or replaces.
  func setAlias(_ alias: RecordedAlias) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO aliases (pattern, local_part, domain, targets, senders, members_may_send)
      VALUES (?, ?, ?, ?, ?, ?)
      """, .text(alias.pattern), .text(alias.localPart), .text(alias.domain), .text(alias.targets),
      .text(alias.senders), .integer(alias.membersMaySend ? 1 : 0))
  }
}

extension Alias.Senders {
  /// As it is kept: a word, or addresses.
  var encoded: String {
    switch self {
    case .anyone: "anyone"
    case .members: "members"
    case .domain: "domain"
    case .accounts(let addresses): addresses.map(\.description).joined(separator: "\n")
    }
  }

  init(decoding text: String) {
    self =
      switch text {
      case "anyone": .anyone
      case "members": .members
      case "domain": .domain
      default: .accounts(text.split(separator: "\n").compactMap { EmailAddress(String($0)) })
      }
  }
}

extension Alias.Pattern {
  var key: String {
    switch self {
    case .address(let address): address.lookupKey
    case .catchAll(let domain): "@\(domain.text)"
    }
  }

  var parts: (domain: Domain, localPart: String?) {
    switch self {
    case .address(let address): (address.domain, address.localPart)
    case .catchAll(let domain): (domain, nil)
    }
  }
}

extension Directory {
  /// All of it, as the database has it.
  init(reading database: Database) throws(StoreError) {
    self.init()
    var loaded = Directory()
    var passwords: [Int64: [AppPassword]] = [:]
    try database.each("SELECT name FROM domains") { row in
      if let domain = Domain(row.text(0)) { loaded.add(domain) }
    }
    try database.each("SELECT account, label, secrets, created FROM app_passwords ORDER BY account, position") { row in
      passwords[row.integer(0), default: []].append(
        AppPassword(
          label: row.text(1), secrets: StoredSecret.decode(row.text(2)),
          created: Timestamp(microseconds: row.integer(3))))
    }
    let rules = try database.sendingRules()
    try database.each("SELECT id, local_part, domain, secrets, quota_bytes, quota_messages FROM accounts") { row in
      guard let domain = Domain(row.text(2)) else { return }
      loaded.set(
        Account(
          id: AccountID(rawValue: row.integer(0)), address: EmailAddress(localPart: row.text(1), domain: domain),
          secrets: StoredSecret.decode(row.text(3)), appPasswords: passwords[row.integer(0)] ?? [],
          quota: Quota(bytes: row.optionalInteger(4), messages: row.optionalInteger(5)),
          sendAs: rules[row.integer(0)]?.patterns ?? [],
          sendingLimits: SendingLimits(decoding: rules[row.integer(0)]?.limits ?? "")))
    }
    try database.each("SELECT local_part, domain, targets, senders, members_may_send FROM aliases") { row in
      guard let domain = Domain(row.text(1)) else { return }
      let targets = row.text(2).split(separator: "\n").compactMap { EmailAddress(String($0)) }
      let pattern: Alias.Pattern =
        row.optionalText(0).map { .address(EmailAddress(localPart: $0, domain: domain)) } ?? .catchAll(domain)
      loaded.set(
        Alias(
          pattern: pattern, targets: targets, senders: Alias.Senders(decoding: row.text(3)),
          membersMaySend: row.integer(4) != 0))
    }
    self = loaded
  }
}
