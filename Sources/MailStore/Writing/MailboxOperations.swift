import MessageFormat
import SQLite

/// Mailboxes and subscriptions, as they are changed inside a group.
extension WriteContext {
  private static let mailboxLimit = 10_000

  func createMailbox(_ name: MailboxName, specialUse: SpecialUse?, of account: AccountID) throws(StoreError) -> Mailbox
  {
    if let existing = try mailbox(named: name, of: account), existing.isSelectable { throw .mailboxExists }
    let mailbox = try ensureMailbox(name, specialUse: specialUse, of: account)
    note(.mailboxList, of: account)
    return mailbox
  }

  /// The mailbox, made with its parents where it is not there, made selectable where it was but a name.
  func ensureMailbox(_ name: MailboxName, specialUse: SpecialUse? = nil, of id: AccountID) throws(StoreError) -> Mailbox
  {
    if var existing = try mailbox(named: name, of: id) {
      guard !existing.isSelectable else { return existing }
      existing.isSelectable = true
      existing.specialUse = specialUse
      existing.uidValidity = try newUIDValidity(of: id)
      update(existing)
      record(existing)
      return existing
    }
    // Parents are real mailboxes: Outlook files mail into them.
    if let parent = name.parent { _ = try ensureParent(parent, of: id) }
    return try insertMailbox(name, specialUse: specialUse, of: id)
  }

  private func ensureParent(_ name: MailboxName, of id: AccountID) throws(StoreError) {
    guard try mailbox(named: name, of: id) == nil else { return }
    _ = try ensureMailbox(name, of: id)
  }

  func insertMailbox(_ name: MailboxName, specialUse: SpecialUse?, of id: AccountID) throws(StoreError) -> Mailbox {
    let count = try database.one("SELECT count(*) FROM mailboxes WHERE account = ?", .integer(id.rawValue)) {
      $0.integer(0)
    }
    guard (count ?? 0) < Self.mailboxLimit else { throw .tooManyMailboxes }
    let isSubscribed =
      try database.one(
        "SELECT 1 FROM subscriptions WHERE account = ? AND name = ?", .integer(id.rawValue), .text(name.text)
      ) { _ in true } ?? false
    let mailbox = Mailbox(
      id: MailboxID(rawValue: newID()), account: id, name: name, uidValidity: try newUIDValidity(of: id),
      uidNext: UID(rawValue: 1), highestModSequence: ModSequence(rawValue: 1), specialUse: specialUse,
      isSubscribed: isSubscribed, isSelectable: true, messageCount: 0, unseenCount: 0, deletedCount: 0, size: 0,
      firstRecent: UID(rawValue: 1))
    try database.change(
      """
      INSERT INTO mailboxes (id, account, name, special_use, selectable, uid_validity, uid_next, modseq, messages,
        unseen, deleted, size, first_recent) VALUES (?, ?, ?, ?, 1, ?, 1, 1, 0, 0, 0, 0, 1)
      """,
      .integer(mailbox.id.rawValue), .integer(id.rawValue), .text(name.text), .text(specialUse?.rawValue),
      .integer(Int64(mailbox.uidValidity.rawValue)))
    update(mailbox)
    record(mailbox)
    return mailbox
  }

  /// From the clock, so that it differs from one given before a store was lost; above all the account has had.
  func newUIDValidity(of id: AccountID) throws(StoreError) -> UIDValidity {
    var row = try account(id)
    let now = UInt32(clamping: clock.now().seconds)
    let value = max(now, row.lastUIDValidity &+ 1, 1)
    row.lastUIDValidity = value
    update(row)
    try database.change(
      "UPDATE accounts SET last_uid_validity = ? WHERE id = ?", .integer(Int64(value)), .integer(id.rawValue))
    return UIDValidity(rawValue: value)
  }

  // MARK: Renaming

  func renameMailbox(_ name: MailboxName, to newName: MailboxName, of account: AccountID) throws(StoreError) {
    guard var mailbox = try mailbox(named: name, of: account) else { throw .mailboxNotFound }
    guard try self.mailbox(named: newName, of: account) == nil else { throw .mailboxExists }
    if name.isInbox {
      let destination = try ensureMailbox(newName, of: account)
      _ = try moveEntries(nil, from: mailbox.id, to: destination.id)
      note(.mailboxList, of: account)
      return
    }
    // It cannot go below itself.
    guard !newName.isInferior(to: name), !newName.isInbox else { throw .invalidMailboxName }
    if let parent = newName.parent { try ensureParent(parent, of: account) }
    let inferiors = try database.mailboxes(of: account).filter { $0.name.isInferior(to: name) }
    mailbox = try self.mailbox(mailbox.id)
    try rename(mailbox, to: newName)
    for inferior in inferiors {
      guard let moved = MailboxName(newName.text + inferior.name.text.dropFirst(name.text.count)) else {
        throw .invalidMailboxName
      }
      try rename(try self.mailbox(inferior.id), to: moved)
    }
    try removeEmptyNames(from: name.parent, of: account)
    note(.mailboxList, of: account)
  }

  private func rename(_ mailbox: Mailbox, to name: MailboxName) throws(StoreError) {
    var mailbox = mailbox
    mailbox.name = name
    mailbox.isSubscribed =
      try database.one(
        "SELECT 1 FROM subscriptions WHERE account = ? AND name = ?", .integer(mailbox.account.rawValue),
        .text(name.text)
      ) { _ in true } ?? false
    // At once, because the next operation of the group looks names up in the table.
    try database.change(
      "UPDATE mailboxes SET name = ? WHERE id = ?", .text(name.text), .integer(mailbox.id.rawValue))
    update(mailbox)
    record(mailbox)
    forgetNames()
  }

  // MARK: Deleting

  func deleteMailbox(_ name: MailboxName, of account: AccountID) throws(StoreError) {
    guard !name.isInbox else { throw .mailboxIsInbox }
    guard var mailbox = try mailbox(named: name, of: account) else { throw .mailboxNotFound }
    let hasInferiors = try self.hasInferiors(name, of: account)
    // RFC 9051 §6.3.4: a name that is nothing but a parent cannot be deleted.
    guard mailbox.isSelectable || !hasInferiors else { throw .mailboxHasChildren }
    _ = try removeEntries(nil, onlyDeleted: false, from: &mailbox)
    note(.mailboxDeleted(mailbox.id), of: account)
    note(.mailboxList, of: account)
    if hasInferiors {
      mailbox.isSelectable = false
      mailbox.specialUse = nil
      update(mailbox)
      record(mailbox)
    } else {
      try drop(mailbox)
      try removeEmptyNames(from: name.parent, of: account)
    }
  }

  private func drop(_ mailbox: Mailbox) throws(StoreError) {
    try database.change("DELETE FROM vanished WHERE mailbox = ?", .integer(mailbox.id.rawValue))
    try database.change("DELETE FROM mailboxes WHERE id = ?", .integer(mailbox.id.rawValue))
    remove(mailbox)
    record(.mailboxRemoved(mailbox.id.rawValue))
  }

  private func hasInferiors(_ name: MailboxName, of account: AccountID) throws(StoreError) -> Bool {
    // "0" is the character after "/".
    try database.one(
      "SELECT 1 FROM mailboxes WHERE account = ? AND name > ? AND name < ? LIMIT 1", .integer(account.rawValue),
      .text("\(name.text)/"), .text("\(name.text)0")
    ) { _ in true } ?? false
  }

  /// Names that were kept only for children that are now gone.
  private func removeEmptyNames(from name: MailboxName?, of account: AccountID) throws(StoreError) {
    var name = name
    while let candidate = name, let mailbox = try mailbox(named: candidate, of: account), !mailbox.isSelectable,
      try !hasInferiors(candidate, of: account)
    {
      try drop(mailbox)
      name = candidate.parent
    }
  }

  // MARK: Subscriptions

  func setSubscribed(_ subscribed: Bool, _ name: MailboxName, of account: AccountID) throws(StoreError) {
    guard try database.accountExists(account) else { throw .accountNotFound }
    if subscribed {
      let count = try database.one(
        "SELECT count(*) FROM subscriptions WHERE account = ?", .integer(account.rawValue)
      ) { $0.integer(0) }
      guard (count ?? 0) < 2 * Int64(Self.mailboxLimit) else { throw .tooManyMailboxes }
      try database.change(
        "INSERT OR IGNORE INTO subscriptions (account, name) VALUES (?, ?)", .integer(account.rawValue),
        .text(name.text))
    } else {
      try database.change(
        "DELETE FROM subscriptions WHERE account = ? AND name = ?", .integer(account.rawValue), .text(name.text))
    }
    guard database.changedRows > 0 else { return }
    record(
      subscribed
        ? .subscribed(account: account.rawValue, name: name.text)
        : .unsubscribed(account: account.rawValue, name: name.text))
    if var mailbox = try mailbox(named: name, of: account) {
      mailbox.isSubscribed = subscribed
      update(mailbox)
    }
    note(.mailboxList, of: account)
  }
}
