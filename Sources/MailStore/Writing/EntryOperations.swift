import MessageFormat
import SQLite

/// Flags, expunges, copies and moves, as they are made inside a group.
extension WriteContext {
  func changeFlags(
    in id: MailboxID, uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?
  ) throws(StoreError) -> FlagResult {
    var mailbox = try selectable(id)
    let modSequence = mailbox.highestModSequence.next
    var result = FlagResult(states: [], modified: [])
    var changed: [FlagState] = []
    var recorded: [RecordedEntry] = []
    let change = try change.normalized()
    for (state, email, saved) in try database.entryStates(in: id, uids: uids) {
      var state = state
      if let unchangedSince, state.modSequence > unchangedSince {
        result.modified.append(state.uid)
        continue
      }
      let flags = try change.applied(to: state.flags)
      if flags != state.flags || !flags.hasSameSpelling(as: state.flags) {
        try database.change(
          "UPDATE entries SET flags = ?, keywords = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
          .integer(Int64(flags.system.rawValue)), .text(Keyword.encode(flags.keywords)),
          .integer(modSequence.rawValue), .integer(id.rawValue), .integer(Int64(state.uid.rawValue)))
        mailbox.recount(from: state.flags.system, to: flags.system)
        state.flags = flags
        state.modSequence = modSequence
        changed.append(state)
        recorded.append(RecordedEntry(state, email: email, saved: saved))
      }
      result.states.append(state)
    }
    if !changed.isEmpty {
      mailbox.highestModSequence = modSequence
      update(mailbox)
      record(.entries(mailbox: id.rawValue, recorded))
      note(.flagged(id, changed), of: mailbox.account)
    }
    return result
  }

  func expunge(in id: MailboxID, uids: [UID]?, onlyDeleted: Bool) throws(StoreError) -> [UID] {
    var mailbox = try selectable(id)
    return try removeEntries(uids, onlyDeleted: onlyDeleted, from: &mailbox).map(\.uid)
  }

  func copyEntries(_ uids: [UID], from source: MailboxID, to name: MailboxName, of account: AccountID)
    throws(StoreError) -> CopyResult
  {
    let destination = try destination(name, from: source, of: account)
    var target = destination
    let found = try entries(uids, in: source)
    try checkQuota(of: account, bytes: found.reduce(0) { $0 + $1.size }, messages: Int64(found.count))
    let copied = try insert(found, into: &target)
    for entry in found {
      try database.change(
        "UPDATE messages SET entries = entries + 1, orphaned_at = NULL WHERE id = ?", .integer(entry.email.rawValue))
    }
    return CopyResult(uidValidity: target.uidValidity, source: found.map(\.uid), destination: copied)
  }

  func moveEntries(_ uids: [UID], from source: MailboxID, to name: MailboxName, of account: AccountID)
    throws(StoreError) -> CopyResult
  {
    try moveEntries(uids, from: source, to: try destination(name, from: source, of: account).id)
  }

  /// All where `uids` is nil. Usage stays the same, so no quota is asked.
  func moveEntries(_ uids: [UID]?, from source: MailboxID, to destination: MailboxID) throws(StoreError) -> CopyResult {
    let found = try entries(uids, in: source)
    var target = try mailbox(destination)
    let moved = try insert(found, into: &target)
    var origin = try mailbox(source)
    try delete(found, from: &origin, keepsMessages: true)
    return CopyResult(uidValidity: target.uidValidity, source: found.map(\.uid), destination: moved)
  }

  private func destination(_ name: MailboxName, from source: MailboxID, of account: AccountID) throws(StoreError)
    -> Mailbox
  {
    guard try selectable(source).account == account,
      let destination = try mailbox(named: name, of: account)
    else { throw .mailboxNotFound }
    guard destination.isSelectable else { throw .mailboxNotSelectable }
    return destination
  }

  // MARK: Entries

  struct Entry {
    var uid: UID
    var email: EmailID
    var flags: MessageFlags
    var size: Int64
  }

  /// In UID order; all where `uids` is nil.
  private func entries(_ uids: [UID]?, in mailbox: MailboxID, onlyDeleted: Bool = false) throws(StoreError) -> [Entry] {
    var result: [Entry] = []
    var filter = uids.map { UIDFilter($0) }
    for range in uids.map({ UIDRuns.ranges(of: $0) }) ?? [0...UInt32.max] {
      try database.each(
        """
        SELECT e.uid, e.flags, e.keywords, e.modseq, e.message, m.size
        FROM entries e JOIN messages m ON m.id = e.message
        WHERE e.mailbox = ? AND e.uid BETWEEN ? AND ? AND (e.flags & ?) = ? ORDER BY e.uid
        """,
        .integer(mailbox.rawValue), .integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound)),
        .integer(onlyDeleted ? Int64(SystemFlags.deleted.rawValue) : 0),
        .integer(onlyDeleted ? Int64(SystemFlags.deleted.rawValue) : 0)
      ) { row in
        let state = FlagState(row)
        if filter?.contains(state.uid.rawValue) ?? true {
          result.append(
            Entry(uid: state.uid, email: EmailID(rawValue: row.integer(4)), flags: state.flags, size: row.integer(5)))
        }
      }
    }
    return result
  }

  /// New entries for messages that are there already, with their flags. Returns their UIDs.
  func insert(_ entries: [Entry], into mailbox: inout Mailbox) throws(StoreError) -> [UID] {
    guard !entries.isEmpty else { return [] }
    let modSequence = mailbox.highestModSequence.next
    let now = clock.now().microseconds
    var states: [FlagState] = []
    var recorded: [RecordedEntry] = []
    states.reserveCapacity(entries.count)
    recorded.reserveCapacity(entries.count)
    for entry in entries {
      let uid = try addEntry(
        to: &mailbox, email: entry.email, flags: entry.flags, modSequence: modSequence, size: entry.size, saved: now)
      let state = FlagState(uid: uid, flags: entry.flags, modSequence: modSequence)
      states.append(state)
      recorded.append(RecordedEntry(state, email: entry.email, saved: now))
    }
    mailbox.highestModSequence = modSequence
    update(mailbox)
    record(.entries(mailbox: mailbox.id.rawValue, recorded))
    note(.appended(mailbox.id, states), of: mailbox.account)
    return states.map(\.uid)
  }

  func removeEntries(_ uids: [UID]?, onlyDeleted: Bool, from mailbox: inout Mailbox) throws(StoreError) -> [Entry] {
    // Most closes of a mailbox find nothing to do.
    if mailbox.messageCount == 0 || onlyDeleted && mailbox.deletedCount == 0 { return [] }
    let gone = try entries(uids, in: mailbox.id, onlyDeleted: onlyDeleted)
    try delete(gone, from: &mailbox, keepsMessages: false)
    return gone
  }

  /// - Parameter keepsMessages: the messages have got an entry elsewhere in the same change.
  private func delete(_ gone: [Entry], from mailbox: inout Mailbox, keepsMessages: Bool) throws(StoreError) {
    guard !gone.isEmpty else { return }
    let modSequence = mailbox.highestModSequence.next
    let now = keepsMessages ? clock.now().microseconds : try deletionTime(of: mailbox.account)
    var usage = try account(mailbox.account)
    var runs: [ClosedRange<UInt32>] = []
    for entry in gone {
      try database.change(
        "DELETE FROM entries WHERE mailbox = ? AND uid = ?", .integer(mailbox.id.rawValue),
        .integer(Int64(entry.uid.rawValue)))
      if !keepsMessages {
        try keepDeleted(entry, of: mailbox, at: now)
        // SQLite computes with the values of before: the last entry is the one that leaves none.
        try database.change(
          """
          UPDATE messages SET entries = entries - 1, orphaned_at = CASE WHEN entries <= 1 THEN ? END WHERE id = ?
          """, .integer(now), .integer(entry.email.rawValue))
      }
      mailbox.count(entry.flags.system, size: entry.size, by: -1)
      usage.usedBytes -= entry.size
      usage.usedMessages -= 1
      if let last = runs.last, last.upperBound + 1 == entry.uid.rawValue {
        runs[runs.count - 1] = last.lowerBound...entry.uid.rawValue
      } else {
        runs.append(entry.uid.rawValue...entry.uid.rawValue)
      }
    }
    for run in runs {
      try database.change(
        "INSERT INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)", .integer(mailbox.id.rawValue),
        .integer(modSequence.rawValue), .integer(Int64(run.lowerBound)), .integer(Int64(run.upperBound)))
    }
    update(usage)
    mailbox.highestModSequence = modSequence
    update(mailbox)
    record(
      keepsMessages
        ? .removed(mailbox: mailbox.id.rawValue, modSequence: modSequence.rawValue, at: now, runs)
        : .expunged(
          mailbox: mailbox.id.rawValue, name: mailbox.name.text, modSequence: modSequence.rawValue, at: now, runs))
    note(.expunged(mailbox.id, gone.map(\.uid), modSequence), of: mailbox.account)
  }
}

extension FlagChange {
  fileprivate func normalized() throws(StoreError) -> FlagChange {
    switch self {
    case .replace(let flags): .replace(try flags.normalized())
    case .add(let flags): .add(try flags.normalized())
    case .remove(let flags): .remove(flags)
    }
  }

  fileprivate func applied(to old: MessageFlags) throws(StoreError) -> MessageFlags {
    switch self {
    case .replace(let flags):
      return flags
    case .add(let flags):
      guard !flags.keywords.isEmpty else { return MessageFlags(old.system.union(flags.system), keywords: old.keywords) }
      return try MessageFlags(old.system.union(flags.system), keywords: old.keywords + flags.keywords).normalized()
    case .remove(let flags):
      let gone = Set(flags.keywords)
      let kept = gone.isEmpty ? old.keywords : old.keywords.filter { !gone.contains($0) }
      return MessageFlags(old.system.subtracting(flags.system), keywords: kept)
    }
  }
}

extension MessageFlags {
  /// Keywords are equal without regard to case; a replacement may still change how they are written.
  fileprivate func hasSameSpelling(as other: MessageFlags) -> Bool {
    keywords.map(\.text) == other.keywords.map(\.text)
  }
}
