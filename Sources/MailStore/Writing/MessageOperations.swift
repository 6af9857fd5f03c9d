import MessageFormat
import SQLite

/// New messages, as they come into mailboxes inside a group.
extension WriteContext {
  func append(_ messages: [NewMessage], to name: MailboxName, of account: AccountID) throws(StoreError) -> AppendResult
  {
    _ = try self.account(account)
    guard let found = try mailbox(named: name, of: account) else { throw .mailboxNotFound }
    guard found.isSelectable else { throw .mailboxNotSelectable }
    let sizes = messages.map { Int64($0.prefix.count + $0.body.size) }
    try checkQuota(of: account, bytes: sizes.reduce(0, +), messages: Int64(messages.count))
    var mailbox = found
    let modSequence = mailbox.highestModSequence.next
    let now = clock.now().microseconds
    var states: [FlagState] = []
    for message in messages {
      states.append(try insert(message, into: &mailbox, modSequence: modSequence, saved: now))
    }
    if !states.isEmpty {
      mailbox.highestModSequence = modSequence
      update(mailbox)
      note(.appended(mailbox.id, states), of: account)
    }
    return AppendResult(mailbox: mailbox.id, uidValidity: mailbox.uidValidity, uids: states.map(\.uid))
  }

  /// What stands in the way of one recipient is found before anything is written, so that the others need no undoing.
  func deliver(
    _ body: StagedBody, to recipients: [LocalDelivery], queued: [NewQueuedMessage], date: DateTime
  ) throws(StoreError) -> [Result<AppendResult, StoreError>] {
    struct Message {
      var email: EmailID
      var thread: EmailID
      var prefix: [UInt8]
      var account: AccountID
      var entries: Int
    }
    let now = clock.now().microseconds
    let bodyID = newID()
    var messages: [Message] = []
    var placements: [PackRecord.Placement] = []
    var results: [Result<AppendResult, StoreError>] = []
    for recipient in recipients {
      do throws(StoreError) {
        let size = Int64(recipient.prefix.count + body.size)
        let flags = try recipient.flags.normalized()
        if recipient.enforcesQuota { try checkQuota(of: recipient.account, bytes: size, messages: 1) }
        var mailbox: Mailbox
        if let existing = try self.mailbox(named: recipient.mailbox, of: recipient.account), existing.isSelectable {
          mailbox = existing
        } else {
          mailbox = try ensureMailbox(recipient.mailbox, of: recipient.account)
          note(.mailboxList, of: recipient.account)
        }
        guard mailbox.uidNext.rawValue < .max else { throw .overQuota }

        let position: Int
        if let known = messages.firstIndex(where: { $0.account == recipient.account && $0.prefix == recipient.prefix })
        {
          position = known
        } else {
          let email = EmailID(rawValue: newID())
          let thread = try thread(of: email, body.references, in: recipient.account)
          position = messages.count
          messages.append(
            Message(email: email, thread: thread, prefix: recipient.prefix, account: recipient.account, entries: 0))
        }
        messages[position].entries += 1
        let message = messages[position]
        let modSequence = mailbox.highestModSequence.next
        let uid = try addEntry(
          to: &mailbox, email: message.email, flags: flags, modSequence: modSequence, size: size, saved: now)
        mailbox.highestModSequence = modSequence
        update(mailbox)
        note(
          .appended(mailbox.id, [FlagState(uid: uid, flags: flags, modSequence: modSequence)]), of: recipient.account)
        placements.append(
          try placement(
            mailbox, uid: uid, modSequence: modSequence, flags: flags, email: message.email, thread: message.thread,
            date: date, saved: now, prefix: recipient.prefix))
        results.append(.success(AppendResult(mailbox: mailbox.id, uidValidity: mailbox.uidValidity, uids: [uid])))
      } catch {
        // A failing device fails the whole; anything else is the recipient's own.
        switch error {
        case .deviceFull, .inputOutput, .corrupt, .closed: throw error
        default: results.append(.failure(error))
        }
      }
    }
    guard !placements.isEmpty || !queued.isEmpty else { return results }
    for message in messages {
      try insertMessage(
        message.email, account: message.account, body: bodyID, thread: message.thread,
        size: message.prefix.count + body.size, date: date, prefix: message.prefix, entries: message.entries)
    }
    try store(body, as: bodyID, placements: placements)
    for message in queued { _ = try enqueue(message, body: bodyID, size: message.prefix.count + body.size) }
    return results
  }

  // MARK: Parts of it

  /// A new message with the mailbox's next UID. The caller puts the changed mailbox back.
  func insert(
    _ message: NewMessage, into mailbox: inout Mailbox, modSequence: ModSequence, saved: Int64
  ) throws(StoreError) -> FlagState {
    let flags = try message.flags.normalized()
    let account = mailbox.account
    let body = newID()
    let email = EmailID(rawValue: newID())
    let thread = try thread(of: email, message.body.references, in: account)
    let size = message.prefix.count + message.body.size
    let uid = try addEntry(
      to: &mailbox, email: email, flags: flags, modSequence: modSequence, size: Int64(size), saved: saved)
    try insertMessage(
      email, account: account, body: body, thread: thread, size: size, date: message.internalDate,
      prefix: message.prefix, entries: 1)
    try store(
      message.body, as: body,
      placements: [
        placement(
          mailbox, uid: uid, modSequence: modSequence, flags: flags, email: email, thread: thread,
          date: message.internalDate, saved: saved, prefix: message.prefix)
      ])
    return FlagState(uid: uid, flags: flags, modSequence: modSequence)
  }

  func checkQuota(of id: AccountID, bytes: Int64, messages: Int64) throws(StoreError) {
    let row = try account(id)
    if let limit = row.quota.bytes, row.usedBytes + bytes > limit { throw .overQuota }
    if let limit = row.quota.messages, row.usedMessages + messages > limit { throw .overQuota }
  }

  /// Gives the message the mailbox's next UID. The caller puts the changed mailbox back.
  func addEntry(
    to mailbox: inout Mailbox, email: EmailID, flags: MessageFlags, modSequence: ModSequence, size: Int64, saved: Int64
  ) throws(StoreError) -> UID {
    let uid = mailbox.uidNext
    // 2³² − 2 messages have been here.
    guard uid.rawValue < .max else { throw .overQuota }
    try insert(
      .entry(
        mailbox: mailbox.id.rawValue, uid: uid.rawValue, message: email.rawValue, flags: flags,
        modSequence: modSequence.rawValue, saved: saved))
    mailbox.uidNext = UID(rawValue: uid.rawValue + 1)
    mailbox.count(flags.system, size: size, by: 1)
    var row = try account(mailbox.account)
    row.usedBytes += size
    row.usedMessages += 1
    update(row)
    return uid
  }

  private func insertMessage(
    _ email: EmailID, account: AccountID, body: Int64, thread: EmailID, size: Int, date: DateTime, prefix: [UInt8],
    entries: Int
  ) throws(StoreError) {
    try insert(
      .message(
        id: email.rawValue, account: account.rawValue, body: body, thread: thread.rawValue, size: size, date: date,
        prefix: prefix, entries: entries))
  }

  private func placement(
    _ mailbox: Mailbox, uid: UID, modSequence: ModSequence, flags: MessageFlags, email: EmailID, thread: EmailID,
    date: DateTime, saved: Int64, prefix: [UInt8]
  ) throws(StoreError) -> PackRecord.Placement {
    PackRecord.Placement(
      account: mailbox.account.rawValue, address: try account(mailbox.account).address, mailbox: mailbox.id.rawValue,
      mailboxName: mailbox.name.text, uidValidity: mailbox.uidValidity.rawValue, uid: uid.rawValue,
      modSequence: modSequence.rawValue, flags: flags.system.rawValue, keywords: Keyword.encode(flags.keywords) ?? "",
      email: email.rawValue, thread: thread.rawValue, internalDate: date.timestamp.microseconds,
      internalOffset: Int64(date.offsetMinutes), saved: saved, prefix: prefix)
  }

  private func store(_ body: StagedBody, as id: Int64, placements: [PackRecord.Placement]) throws(StoreError) {
    let kind: PackRecord.Kind = body.isLarge ? .largeBody : .body
    let header = PackRecord.encode(
      kind: kind, bodyID: id, bodySize: body.size, bodyChecksum: body.checksum, placements: placements,
      stamp: packs.stamp)
    var position: Int64 = 0
    do throws(FileError) { position = try packs.append(header: header, body: body) } catch { throw error.storeError }
    if body.isLarge, case .spooled(let spool) = body.content { try keepLarge(spool, as: id) }
    try insert(
      .body(
        id: id, pack: body.isLarge ? nil : packs.segment, position: body.isLarge ? 0 : position, size: body.size,
        checksum: body.checksum, structure: body.encodedStructure))
  }

  // MARK: Threads

  /// The thread of the first message it answers, of a double of itself, or its own.
  private func thread(of email: EmailID, _ references: ThreadReferences, in account: AccountID) throws(StoreError)
    -> EmailID
  {
    var thread: Int64?
    for hash in references.ancestors {
      thread = try knownThread(hash, in: account)
      if thread != nil { break }
    }
    if thread == nil, let own = references.own { thread = try knownThread(own, in: account) }
    let result = thread ?? email.rawValue
    for hash in references.all {
      try insert(.thread(ThreadKey(account: account.rawValue, hash: hash), thread: result))
    }
    return EmailID(rawValue: result)
  }

  private func knownThread(_ hash: Int64, in account: AccountID) throws(StoreError) -> Int64? {
    if let new = newThread(ThreadKey(account: account.rawValue, hash: hash)) { return new }
    return try database.one(
      "SELECT thread FROM threads WHERE account = ? AND hash = ?", .integer(account.rawValue), .integer(hash)
    ) { $0.integer(0) }
  }
}

extension ModSequence {
  var next: ModSequence { ModSequence(rawValue: rawValue + 1) }
}

extension Mailbox {
  /// Counts an entry in (`sign` 1) or out (−1).
  mutating func count(_ flags: SystemFlags, size: Int64, by sign: Int) {
    messageCount += sign
    if !flags.contains(.seen) { unseenCount += sign }
    if flags.contains(.deleted) { deletedCount += sign }
    self.size += size * Int64(sign)
  }

  /// Counts a change of flags.
  mutating func recount(from old: SystemFlags, to new: SystemFlags) {
    if old.contains(.seen) != new.contains(.seen) { unseenCount += new.contains(.seen) ? -1 : 1 }
    if old.contains(.deleted) != new.contains(.deleted) { deletedCount += new.contains(.deleted) ? 1 : -1 }
  }
}

extension MessageFlags {
  /// Limits of one message.
  private static let keywordLimit = 100
  private static let keywordOctets = 255

  /// Keywords in order and without doubles, the first spelling kept.
  func normalized() throws(StoreError) -> MessageFlags {
    guard !keywords.isEmpty else { return self }
    var seen: Set<Keyword> = []
    let unique = keywords.filter { seen.insert($0).inserted }.sorted()
    guard unique.count <= Self.keywordLimit, unique.allSatisfy({ $0.isStorable }) else { throw .tooManyKeywords }
    return MessageFlags(system, keywords: unique)
  }
}

extension Keyword {
  fileprivate var isStorable: Bool {
    !text.isEmpty && text.utf8.count <= 255 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
