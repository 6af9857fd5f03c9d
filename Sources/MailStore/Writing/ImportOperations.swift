import MessageFormat
package import SQLite

/// Mail from elsewhere, as it comes in inside a group.
///
/// Invariants:
/// - A key comes in once, whatever becomes of its message later.
/// - A mailbox that has an origin's UIDVALIDITY holds that origin's messages and no others. Where others have come in
///   and more come from there, the two could be taken for each other by who knows the origin's UIDs: the mailbox gets
///   a UIDVALIDITY of its own then.
extension WriteContext {
  /// UIDVALIDITYs above are not taken over: those made later must be greater.
  private static let validityLimit: UInt32 = 0xF000_0000

  func openImport(_ origin: ImportOrigin, of account: AccountID) throws(StoreError) -> ImportTarget {
    _ = try self.account(account)
    if let row = try database.importRow(origin: origin.identity, of: account) {
      return try target(of: row, keeping: origin.uids?.validity)
    }
    let found = try destination(of: origin, account)
    var mailbox: Mailbox
    if let found {
      mailbox = try self.mailbox(found.id)
    } else {
      mailbox = try ensureMailbox(origin.mailbox, specialUse: origin.specialUse, of: account)
      note(.mailboxList, of: account)
    }
    if origin.isSubscribed, !mailbox.isSubscribed {
      try setSubscribed(true, mailbox.name, of: account)
      mailbox = try self.mailbox(mailbox.id)
    }
    let keepsUIDs = try origin.uids.map { (uids) throws(StoreError) in try takeOver(uids, by: &mailbox) } ?? false
    let row = ImportRow(
      id: ImportID(rawValue: newID()), account: account, origin: origin.identity, mailbox: mailbox.id,
      name: mailbox.name, uidValidity: keepsUIDs ? mailbox.uidValidity : nil, uidNext: mailbox.uidNext)
    try save(row)
    return ImportTarget(id: row.id, mailbox: mailbox.name, keepsUIDs: keepsUIDs)
  }

  /// All of one origin, in its order. One that fails does not keep the others.
  func importMessages(_ messages: [ImportedMessage], from id: ImportID) throws(StoreError) -> ImportResult {
    guard var row = try database.importRow(id) else { throw .mailboxNotFound }
    var result = ImportResult()
    var news: [Int] = []
    var keys: Set<[UInt8]> = []
    for (index, message) in messages.enumerated() where keys.insert(message.key).inserted {
      if try database.imported(message.key, from: id) == nil { news.append(index) }
    }
    guard !news.isEmpty else {
      result.keepsUIDs = try target(of: row, keeping: row.uidValidity).keepsUIDs
      return result
    }
    var mailbox = try importMailbox(&row)
    result.keepsUIDs = row.keepsUIDs(in: mailbox)
    if result.keepsUIDs, !row.hasRoom(for: news.lazy.map { messages[$0].uid }, in: mailbox) {
      try giveOwnValidity(to: &mailbox)
      row.uidValidity = nil
      result.keepsUIDs = false
    }
    let modSequence = mailbox.highestModSequence.next
    let now = clock.now().microseconds
    var states: [FlagState] = []
    var recorded: [RecordedImportedMessage] = []
    states.reserveCapacity(news.count)
    recorded.reserveCapacity(news.count)
    for index in news {
      let message = messages[index]
      do throws(StoreError) {
        _ = try message.message.flags.normalized()
      } catch {
        result.failures.append((index, error))
        continue
      }
      if result.keepsUIDs, let uid = message.uid { mailbox.uidNext = max(mailbox.uidNext, uid) }
      let state = try insert(message.message, into: &mailbox, modSequence: modSequence, saved: now)
      let origin = RecordedImportedMessage(
        key: message.key, mailbox: mailbox.id.rawValue, uid: state.uid.rawValue, flags: state.flags)
      try database.set(origin, from: id.rawValue)
      states.append(state)
      recorded.append(origin)
    }
    result.stored = states.count
    if !states.isEmpty {
      mailbox.highestModSequence = modSequence
      update(mailbox)
      record(.imported(import: id.rawValue, recorded))
      note(.appended(mailbox.id, states), of: mailbox.account)
    }
    row.uidNext = mailbox.uidNext
    try save(row)
    return result
  }

  /// What was changed there since it was last looked at is changed here; what was changed here stays.
  func bringFlags(_ offers: [ImportOffer], from id: ImportID) throws(StoreError) {
    var recorded: [RecordedImportedMessage] = []
    for offer in offers {
      // Those that cannot be kept are left as they were.
      guard let flags = try? offer.flags.normalized() else { continue }
      guard let known = try database.imported(offer.key, from: id), known.flags != flags else { continue }
      if let current = try database.entryStates(in: known.mailbox, uids: [known.uid]).first?.state.flags {
        let merged = current.merging(from: known.flags, to: flags)
        if merged != current, try mailbox(known.mailbox).isSelectable {
          _ = try changeFlags(in: known.mailbox, uids: [known.uid], .replace(merged), unchangedSince: nil)
        }
      }
      let origin = RecordedImportedMessage(
        key: offer.key, mailbox: known.mailbox.rawValue, uid: known.uid.rawValue, flags: flags)
      try database.set(origin, from: id.rawValue)
      recorded.append(origin)
    }
    if !recorded.isEmpty { record(.imported(import: id.rawValue, recorded)) }
  }

  /// The origin's UIDNEXT is kept too, so that a UID which had been given there is not given again here.
  func closeImport(_ id: ImportID, uidNext: UID?) throws(StoreError) -> ImportTarget {
    guard var row = try database.importRow(id) else { throw .mailboxNotFound }
    let target = try target(of: row, keeping: row.uidValidity)
    guard target.keepsUIDs, let uidNext else { return target }
    var mailbox = try self.mailbox(row.mailbox)
    guard mailbox.uidNext == row.uidNext, mailbox.uidNext < uidNext else { return target }
    mailbox.uidNext = uidNext
    update(mailbox)
    record(mailbox)
    row.uidNext = uidNext
    try save(row)
    return target
  }

  // MARK: Parts of it

  private func destination(of origin: ImportOrigin, _ account: AccountID) throws(StoreError) -> Mailbox? {
    if let use = origin.specialUse,
      let mailbox = try database.mailboxes(of: account).first(where: { $0.specialUse == use && $0.isSelectable })
    {
      return mailbox
    }
    return try mailbox(named: origin.mailbox, of: account).flatMap { $0.isSelectable ? $0 : nil }
  }

  /// Only by a mailbox that holds nothing and has given none of these UIDs; and no two mailboxes of an account share a
  /// UIDVALIDITY, or renaming one to the other's name would go unnoticed. One that has never held anything makes room.
  private func takeOver(_ uids: OriginUIDs, by mailbox: inout Mailbox) throws(StoreError) -> Bool {
    let validity = uids.validity
    if mailbox.messageCount > 0 || mailbox.uidNext > uids.first { return false }
    guard 1..<Self.validityLimit ~= validity.rawValue else { return false }
    let holder = try database.one(
      "SELECT id FROM mailboxes WHERE account = ? AND uid_validity = ? AND id <> ?",
      .integer(mailbox.account.rawValue), .integer(Int64(validity.rawValue)), .integer(mailbox.id.rawValue)
    ) { MailboxID(rawValue: $0.integer(0)) }
    if let holder {
      var other = try self.mailbox(holder)
      guard other.messageCount == 0, other.uidNext.rawValue == 1 else { return false }
      try giveOwnValidity(to: &other)
    }
    var account = try account(mailbox.account)
    account.lastUIDValidity = max(account.lastUIDValidity, validity.rawValue)
    update(account)
    // A repair learns of it by the mailbox's record.
    try database.change(
      "UPDATE accounts SET last_uid_validity = ? WHERE id = ?", .integer(Int64(account.lastUIDValidity)),
      .integer(account.id.rawValue))
    try setValidity(validity, of: &mailbox)
    return true
  }

  /// To those who have it selected it looks as if all messages were gone; they find them when they select it again.
  private func giveOwnValidity(to mailbox: inout Mailbox) throws(StoreError) {
    try setValidity(try newUIDValidity(of: mailbox.account), of: &mailbox)
    note(.mailboxDeleted(mailbox.id), of: mailbox.account)
    note(.mailboxList, of: mailbox.account)
  }

  private func setValidity(_ validity: UIDValidity, of mailbox: inout Mailbox) throws(StoreError) {
    mailbox.uidValidity = validity
    update(mailbox)
    record(mailbox)
    // At once, because the next operation of the group looks for it in the table.
    try database.change(
      "UPDATE mailboxes SET uid_validity = ? WHERE id = ?", .integer(Int64(validity.rawValue)),
      .integer(mailbox.id.rawValue))
  }

  /// The mailbox of an import; made again where it has been deleted since.
  private func importMailbox(_ row: inout ImportRow) throws(StoreError) -> Mailbox {
    if let mailbox = try existingMailbox(of: row) { return mailbox }
    let mailbox = try ensureMailbox(row.name, of: row.account)
    note(.mailboxList, of: row.account)
    row.mailbox = mailbox.id
    row.uidValidity = nil
    row.uidNext = mailbox.uidNext
    return mailbox
  }

  private func existingMailbox(of row: ImportRow) throws(StoreError) -> Mailbox? {
    do throws(StoreError) {
      let mailbox = try mailbox(row.mailbox)
      return mailbox.isSelectable ? mailbox : nil
    } catch .mailboxNotFound {
      return nil
    } catch {
      throw error
    }
  }

  private func target(of row: ImportRow, keeping validity: UIDValidity?) throws(StoreError) -> ImportTarget {
    guard let mailbox = try existingMailbox(of: row) else {
      return ImportTarget(id: row.id, mailbox: row.name, keepsUIDs: false)
    }
    return ImportTarget(
      id: row.id, mailbox: mailbox.name, keepsUIDs: row.keepsUIDs(in: mailbox) && validity == row.uidValidity)
  }

  private func save(_ row: ImportRow) throws(StoreError) {
    let origin = RecordedImport(
      id: row.id.rawValue, account: row.account.rawValue, origin: row.origin, mailbox: row.mailbox.rawValue,
      name: row.name.text, uidValidity: row.uidValidity?.rawValue, uidNext: row.uidNext.rawValue)
    try database.set(origin)
    record(.importOrigin(origin))
  }
}

/// A row of `imports`.
struct ImportRow {
  var id: ImportID
  var account: AccountID
  var origin: String
  var mailbox: MailboxID
  var name: MailboxName
  var uidValidity: UIDValidity?
  var uidNext: UID

  func keepsUIDs(in mailbox: Mailbox) -> Bool { uidValidity != nil && uidValidity == mailbox.uidValidity }

  /// True if nothing has come in by other ways, and the UIDs (nil: whatever is next) ascend from UIDNEXT.
  func hasRoom(for uids: some Sequence<UID?>, in mailbox: Mailbox) -> Bool {
    guard mailbox.uidNext == uidNext else { return false }
    var next = uidNext.rawValue
    for uid in uids {
      let uid = uid?.rawValue ?? next
      guard uid >= next, uid < .max else { return false }
      next = uid + 1
    }
    return true
  }
}

/// A row of `imported`.
struct ImportedRow {
  var mailbox: MailboxID
  var uid: UID
  var flags: MessageFlags
}

extension Database {
  package func knownImport(_ identity: String, of account: AccountID) throws(StoreError) -> ImportID? {
    try importRow(origin: identity, of: account)?.id
  }

  package func importedFlags(_ keys: [[UInt8]], from id: ImportID) throws(StoreError) -> [MessageFlags?] {
    var flags: [MessageFlags?] = []
    flags.reserveCapacity(keys.count)
    for key in keys { flags.append(try imported(key, from: id)?.flags) }
    return flags
  }

  func importRow(origin: String, of account: AccountID) throws(StoreError) -> ImportRow? {
    try one(
      """
      SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports WHERE account = ? AND origin = ?
      """, .integer(account.rawValue), .text(origin)
    ) { ImportRow(RecordedImport($0)) }
  }

  func importRow(_ id: ImportID) throws(StoreError) -> ImportRow? {
    try one(
      "SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports WHERE id = ?",
      .integer(id.rawValue)
    ) { ImportRow(RecordedImport($0)) }
  }

  func imported(_ key: [UInt8], from id: ImportID) throws(StoreError) -> ImportedRow? {
    try one(
      "SELECT key, mailbox, uid, flags, keywords FROM imported WHERE import = ? AND key = ?", .integer(id.rawValue),
      .blob(key)
    ) { ImportedRow(RecordedImportedMessage($0)) }
  }

  // As the packs tell of them, when it happens and again in a repair.

  func set(_ origin: RecordedImport) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO imports (id, account, origin, mailbox, name, uid_validity, uid_next)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """, .integer(origin.id), .integer(origin.account), .text(origin.origin), .integer(origin.mailbox),
      .text(origin.name), .integer(origin.uidValidity.map { Int64($0) }), .integer(Int64(origin.uidNext)))
  }

  func set(_ message: RecordedImportedMessage, from id: Int64) throws(StoreError) {
    try change(
      "INSERT OR REPLACE INTO imported (import, key, mailbox, uid, flags, keywords) VALUES (?, ?, ?, ?, ?, ?)",
      .integer(id), .blob(message.key), .integer(message.mailbox), .integer(Int64(message.uid)),
      .integer(Int64(message.flags)), message.keywords.isEmpty ? .null : .text(message.keywords))
  }

  func forgetImports(of account: Int64) throws(StoreError) {
    try change("DELETE FROM imported WHERE import IN (SELECT id FROM imports WHERE account = ?)", .integer(account))
    try change("DELETE FROM imports WHERE account = ?", .integer(account))
  }
}

extension ImportRow {
  fileprivate init(_ row: RecordedImport) {
    self.init(
      id: ImportID(rawValue: row.id), account: AccountID(rawValue: row.account), origin: row.origin,
      mailbox: MailboxID(rawValue: row.mailbox), name: MailboxName(stored: row.name),
      uidValidity: row.uidValidity.map { UIDValidity(rawValue: $0) }, uidNext: UID(rawValue: row.uidNext))
  }
}

extension ImportedRow {
  fileprivate init(_ row: RecordedImportedMessage) {
    self.init(
      mailbox: MailboxID(rawValue: row.mailbox), uid: UID(rawValue: row.uid),
      flags: MessageFlags(SystemFlags(rawValue: row.flags), keywords: Keyword.decode(row.keywords)))
  }
}

extension RecordedImportedMessage {
  fileprivate init(key: [UInt8], mailbox: Int64, uid: UInt32, flags: MessageFlags) {
    self.init(
      key: key, mailbox: mailbox, uid: uid, flags: flags.system.rawValue,
      keywords: Keyword.encode(flags.keywords) ?? "")
  }
}

extension MessageFlags {
  /// These flags with what differs between `old` and `new`.
  fileprivate func merging(from old: MessageFlags, to new: MessageFlags) -> MessageFlags {
    let system = self.system.union(new.system.subtracting(old.system))
      .subtracting(old.system.subtracting(new.system))
    let gone = Set(old.keywords).subtracting(new.keywords)
    let come = Set(new.keywords).subtracting(old.keywords).subtracting(keywords)
    return MessageFlags(system, keywords: (keywords.filter { !gone.contains($0) } + come).sorted())
  }
}
