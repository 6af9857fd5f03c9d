import Bytes
import MessageFormat
import SQLite

/// Fills the tables of a new store.db with what the packs say, record after record.
///
/// Where a sound store.db is its base, that says everything up to its own end, and the records up to there only that
/// their bodies are whole.
final class HistoryReplay {
  let database: Database
  let layout: StoreLayout
  let files: FileAccess
  /// Where the base ends.
  let base: PackPosition?
  var directory = ReplayedDirectory()
  /// First recent UIDs, as far as the base has them.
  var firstRecent: [Int64: Int64] = [:]
  var gaps: HistoryGaps
  /// Records that cannot be read, in words.
  private(set) var damages: [String] = []
  /// Bodies that are in no pack as they should be: what is the matter with each.
  var lost: [Int64: String] = [:]
  /// Whose record and body are whole.
  var whole = IdentifierSet()
  /// That a compaction has taken away, because no message had them any more.
  private(set) var gone = IdentifierSet()
  /// Sizes of the bodies that each pack has.
  private(set) var bodyOctets: [PackNumber: Int64] = [:]
  private(set) var highestID: Int64 = 0
  let threadKey: UInt64

  init(
    database: Database, layout: StoreLayout, files: FileAccess, base: PackPosition?, threadKey: UInt64,
    gaps: HistoryGaps
  ) {
    self.database = database
    self.layout = layout
    self.files = files
    self.base = base
    self.threadKey = threadKey
    self.gaps = gaps
  }

  func meet(id: Int64) { if id > highestID, id < .max { highestID = id } }

  func read(_ link: PackChain.Link, progress: (Int64) -> Void) throws(StoreError) {
    let file: File
    do throws(FileError) {
      file = try File(layout.pack(link.number), .reading, access: files)
    } catch {
      throw error.storeError
    }
    var scanner = PackScanner(file, end: link.end, stamp: link.stamp)
    while let item = scanner.next() {
      switch item {
      case .damaged(let range):
        let text = "pack \(link.number): no record can be read from \(range.lowerBound) to \(range.upperBound)"
        damages.append(text)
        // What is torn at its end may have gone on.
        let isTorn = range.upperBound == link.end && !link.isEndKnown
        gaps.add(
          PackPosition(segment: link.number.place, offset: range.lowerBound),
          octets: isTorn ? nil : Int64(range.count), text)
      case .record(let record):
        if record.body == .cutOff {
          let text = "pack \(link.number) ends inside the record at \(record.position)"
          damages.append(text)
          gaps.add(
            PackPosition(segment: link.number.place, offset: record.position), octets: link.isEndKnown ? 0 : nil, text)
        }
        try apply(record, of: link.number, &scanner)
      }
      progress(scanner.position)
    }
  }

  private func apply(
    _ record: PackScanner.Record, of pack: PackNumber, _ scanner: inout PackScanner
  ) throws(StoreError) {
    let isInBase = base.map { PackPosition(segment: pack.place, offset: record.position) < $0 } ?? false
    switch record.metadata {
    case .beginning, .groupEnd: return
    case .changes(let changes):
      guard !isInBase else { return }
      for change in changes { try apply(change) }
    case .placements(let placements):
      let body = try readBody(record, of: pack, &scanner, isInBase: isInBase)
      guard !isInBase else { return }
      try insert(placements, body: record.header, references: body)
    }
  }

  // MARK: Bodies

  /// Returns the message IDs it has and answers, where it is whole.
  private func readBody(
    _ record: PackScanner.Record, of pack: PackNumber, _ scanner: inout PackScanner, isInBase: Bool
  ) throws(StoreError) -> ThreadReferences? {
    let id = record.header.bodyID
    meet(id: id)
    if record.header.kind == .goneBody {
      gone.insert(id)
      return nil
    }
    if record.header.kind == .body { bodyOctets[pack, default: 0] += Int64(record.header.bodySize) }
    var structure: MessageStructure?
    var problem = ""
    switch record.body {
    case .intact: structure = scanner.withBody(of: record) { MessageStructure(parsing: $0) }
    case .damaged: problem = "its body in pack \(pack) at \(record.bodyPosition) is damaged"
    case .cutOff: problem = "pack \(pack) ends inside its body"
    case .none:
      do throws(BodyProblem) {
        structure = try largeBody(record.header)
      } catch {
        problem = error.text
      }
    }
    guard let structure else {
      // The same body may be whole in another record.
      if !whole.contains(id) { lost[id] = problem }
      return nil
    }
    let number = record.header.kind == .body ? pack.rawValue : nil
    let position = record.header.kind == .body ? record.bodyPosition : 0
    if isInBase {
      let isAsSaid = try database.one(
        "SELECT 1 FROM bodies WHERE id = ? AND pack IS ? AND position = ? AND size = ? AND checksum = ?",
        .integer(id), .integer(number), .integer(position), .integer(Int64(record.header.bodySize)),
        .integer(Int64(record.header.bodyChecksum))
      ) { _ in true }
      guard isAsSaid == true else { return nil }
      try database.change(
        "UPDATE bodies SET structure = ? WHERE id = ?", .blob(structure.encoded()), .integer(id))
    } else {
      try database.change(
        "INSERT OR REPLACE INTO bodies (id, pack, position, size, checksum, structure) VALUES (?, ?, ?, ?, ?, ?)",
        .integer(id), .integer(number), .integer(position), .integer(Int64(record.header.bodySize)),
        .integer(Int64(record.header.bodyChecksum)), .blob(structure.encoded()))
    }
    lost[id] = nil
    whole.insert(id)
    return ThreadReferences(structure.envelope, key: threadKey)
  }

  private func largeBody(_ header: PackRecord.Header) throws(BodyProblem) -> MessageStructure {
    let body = StoredBody(
      id: header.bodyID, pack: nil, position: 0, size: Int64(header.bodySize), checksum: header.bodyChecksum)
    try body.check(layout, files) { _ in }
    do throws(FileError) {
      let file = try File(layout.large(header.bodyID), .reading, access: files)
      return try file.withMapping(size: header.bodySize) { MessageStructure(parsing: $0) }
    } catch {
      throw BodyProblem(text: "its body in large/\(header.bodyID) cannot be read (\(error.inWords))")
    }
  }

  // MARK: Messages

  private func insert(
    _ placements: [PackRecord.Placement], body: PackRecord.Header, references: ThreadReferences?
  ) throws(StoreError) {
    var entries: [Int64: Int64] = [:]
    for placement in placements {
      meet(id: placement.account)
      meet(id: placement.mailbox)
      meet(id: placement.email)
      // Without a mailbox: the message was deleted when its body got this record.
      guard placement.mailbox != 0, directory.meet(placement) else { continue }
      entries[placement.email, default: 0] += 1
      try database.insert(placement.entry, in: placement.mailbox)
    }
    var seen: Set<Int64> = []
    for placement in placements where seen.insert(placement.email).inserted {
      // What is known already came by another record of the same body.
      try database.change(
        """
        INSERT OR IGNORE INTO messages (id, account, body, thread, size, internal_date, internal_offset, prefix,
          entries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(placement.email), .integer(placement.account), .integer(body.bodyID), .integer(placement.thread),
        .integer(Int64(placement.prefix.count + body.bodySize)), .integer(placement.internalDate),
        .integer(placement.internalOffset), .blob(placement.prefix), .integer(entries[placement.email] ?? 0))
      guard let references else { continue }
      try database.insertThread(placement, of: references)
    }
  }

  // MARK: Changes

  private func apply(_ change: RecordedChange) throws(StoreError) {
    switch change {
    case .domain(let name): directory.domains.insert(name)
    case .domainRemoved(let name):
      directory.domains.remove(name)
      directory.signingKeys[name] = nil
    case .signingKey(let key): directory.signingKeys[key.domain, default: [:]][key.selector] = key
    case .signingKeyRemoved(let domain, let selector): directory.signingKeys[domain]?[selector] = nil
    case .account(let account):
      meet(id: account.id)
      directory.set(account)
    case .accountRemoved(let id, let time):
      try empty(directory.removeAccount(id, at: time))
      try database.change("DELETE FROM deleted_entries WHERE account = ?", .integer(id))
      try database.forgetImports(of: id)
    case .sendingRules(let rules): directory.accounts[rules.account]?.rules = rules
    case .appPasswords(let account, let passwords): directory.accounts[account]?.passwords = passwords
    case .alias(let alias): directory.aliases[alias.pattern] = alias
    case .aliasRemoved(let pattern): directory.aliases[pattern] = nil
    case .subscribed(let account, let name): directory.subscriptions[account, default: []].insert(name)
    case .unsubscribed(let account, let name): directory.subscriptions[account]?.remove(name)
    case .mailbox(let mailbox):
      meet(id: mailbox.id)
      directory.set(mailbox)
    case .mailboxRemoved(let id):
      directory.removeMailbox(id)
      try empty([id])
    case .entries(let mailbox, let entries): try set(entries, in: mailbox)
    case .removed(let mailbox, let modSequence, let time, let runs):
      for run in runs { try remove(run, from: mailbox, modSequence: modSequence, at: time) }
    case .expunged(let mailbox, let name, let modSequence, let time, let runs):
      let account = directory.mailboxes[mailbox]?.account ?? 0
      for run in runs {
        try database.keepDeleted(run, of: mailbox, name, account: account, at: time)
        try remove(run, from: mailbox, modSequence: modSequence, at: time)
      }
    case .restored(let account, let keys):
      for key in keys { try database.forgetDeleted(key, of: account) }
    case .deletionsPurged(let account, let key): try database.purgeDeleted(upTo: key, of: account)
    case .messagesPurged(let messages): _ = try database.purge(messages)
    case .queued(let message):
      meet(id: message.id)
      meet(id: message.body)
      try database.replay(message)
    case .unqueued(let message, let positions): _ = try database.unqueue(message, positions)
    case .queueState(let message, let positions, let state, let result):
      try database.setQueueState(message, positions, Int64(state), result)
    case .importOrigin(let origin):
      meet(id: origin.id)
      try database.set(origin)
    case .imported(let id, let messages):
      for message in messages { try database.set(message, from: id) }
    case .directory(let domains, let accounts, let aliases):
      try database.change("DELETE FROM deleted_entries")
      try database.change("DELETE FROM queued_recipients")
      try database.change("DELETE FROM queued_messages")
      try database.change("DELETE FROM imports")
      try database.change("DELETE FROM imported")
      try empty(directory.keepOnly(domains: domains, accounts: accounts, aliases: aliases))
    case .mailboxes(let account, let mailboxes, let subscriptions):
      directory.subscriptions[account] = Set(subscriptions)
      try empty(directory.keepOnly(mailboxes, of: account))
    case .exactEntries(let mailbox, let range, let entries):
      try database.deleteEntries(in: mailbox, range)
      try set(entries, in: mailbox)
    case .vanished(let mailbox, let runs):
      for run in runs { try database.insert(run, in: mailbox) }
    case .deleted(let deletions):
      for deletion in deletions {
        try database.change(
          "UPDATE messages SET entries = 0, orphaned_at = ? WHERE id = ?", .integer(deletion.time),
          .integer(deletion.message))
      }
    case .deletedEntries(let account, let entries):
      for entry in entries {
        try database.change(
          """
          INSERT OR REPLACE INTO deleted_entries (account, deleted_at, mailbox, uid, name, message, flags, keywords)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """, .integer(account), .integer(entry.key.time), .integer(entry.key.mailbox),
          .integer(Int64(entry.key.uid)), .text(entry.name), .integer(entry.message), .integer(Int64(entry.flags)),
          entry.keywords.isEmpty ? .null : .text(entry.keywords))
      }
    case .baselineEnd(let start): gaps.heal(from: start)
    case .unknown(let kind): throw .corrupt("the packs have changes of a newer version of martlet (kind \(kind))")
    }
  }

  private func set(_ entries: [RecordedEntry], in mailbox: Int64) throws(StoreError) {
    for entry in entries {
      directory.meet(mailbox: mailbox, uid: entry.uid, modSequence: entry.modSequence)
      meet(id: entry.message)
    }
    try database.replay(entries, in: mailbox)
  }

  private func remove(
    _ run: ClosedRange<UInt32>, from mailbox: Int64, modSequence: Int64, at time: Int64
  ) throws(StoreError) {
    directory.meet(mailbox: mailbox, uid: run.upperBound, modSequence: modSequence)
    try database.replayRemoval(of: run, from: mailbox, modSequence: modSequence, at: time)
  }

  private func empty(_ mailboxes: [Int64]) throws(StoreError) {
    for mailbox in mailboxes {
      try database.change("DELETE FROM entries WHERE mailbox = ?", .integer(mailbox))
      try database.change("DELETE FROM vanished WHERE mailbox = ?", .integer(mailbox))
    }
  }
}
