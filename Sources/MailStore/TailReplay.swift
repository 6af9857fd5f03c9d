import Logging
import MessageFormat
import SQLite

/// Brings into `store.db` what a power cut has taken from it: groups of new messages and of changes of the queue, which
/// are committed when their records are in the pack. Nothing else can be missing, since every other commit flushes the
/// log, with all that was logged before it, and the first group of a pack does.
///
/// What such groups did without a record stays lost: when attempts were made and are due, and what accounts have sent.
///
/// What stands behind the last such group was never acknowledged.
struct TailReplay {
  let layout: StoreLayout
  let files: FileAccess
  let logger: Logger
  let state: StoreState

  /// A pack is no longer than this beyond what `store.db` says; more has another cause.
  static let limit: Int64 = 256 << 20

  /// A record whose body is whole.
  private struct Message {
    var header: PackRecord.Header
    var position: Int64
    var placements: [PackRecord.Placement]
    var structure: MessageStructure
  }

  private struct Group {
    var messages: [Message] = []
    var queueChanges: [RecordedChange] = []
  }

  /// Makes it durable, too.
  func run(_ database: Database) throws(StoreError) {
    guard state.pack.segment > 0, state.pack.end > 0 else { return }
    let path = layout.pack(PackNumber(state.pack.segment))
    // That it is missing is seen, and said, by `Recovery`.
    guard files.exists(path) else { return }
    let file: File
    let end: Int64
    do throws(FileError) {
      file = try File(path, .reading, access: files)
      end = min(file.size, try endAsLaterPacksSay() ?? .max)
    } catch {
      throw error.storeError
    }
    guard end > state.pack.end, end - state.pack.end <= Self.limit else { return }
    var scanner = PackScanner(file, from: state.pack.end, end: end, stamp: state.stamp)
    var group = Group()
    var groupStart = state.pack.end
    var (groups, messages) = (0, 0)
    scanning: while case .record(let record)? = scanner.next() {
      switch (record.metadata, record.body) {
      case (.placements(let placements), .intact):
        group.messages.append(
          Message(
            header: record.header, position: record.bodyPosition, placements: placements,
            structure: scanner.withBody(of: record) { MessageStructure(parsing: $0) }))
      case (.changes(let changes), _) where changes.allSatisfy(\.isOfQueue):
        group.queueChanges += changes
      case (.groupEnd(let octets), _) where record.position - groupStart == octets:
        if groups == 0 { try begin(database) }
        try add(group, to: database)
        groups += 1
        messages += group.messages.count
        group = Group()
        groupStart = record.end
      default:
        break scanning
      }
    }
    guard groups > 0 else { return }
    try database.change("UPDATE state SET value = ? WHERE name = 'pack_end'", .integer(groupStart))
    do throws(SQLiteError) { try database.commit() } catch { throw StoreError(error) }
    logger.notice(
      "store_tail_replayed",
      metadata: [
        "groups": "\(groups)", "messages": "\(messages)", "octets": "\(groupStart - state.pack.end)",
        "pack": "\(state.pack.segment)",
      ])
  }

  /// A pack that was begun and never committed says where the committed records of the one before it end: behind that
  /// may be groups that failed.
  private func endAsLaterPacksSay() throws(FileError) -> Int64? {
    var end: Int64?
    for number in try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:))
    where number.place > state.pack.segment && !number.isCompacted {
      let previous = PackBeginning(
        of: try File(layout.pack(number), .reading, access: files), stamp: state.stamp)?.previous
      if let previous, previous.segment == state.pack.segment { end = max(end ?? 0, previous.offset) }
    }
    return end
  }

  private func begin(_ database: Database) throws(StoreError) {
    do throws(SQLiteError) { try database.begin() } catch { throw StoreError(error) }
  }

  /// As `WriteContext` does, with the IDs that were given.
  private func add(_ group: Group, to database: Database) throws(StoreError) {
    var highestID = try add(group.messages, to: database)
    for change in group.queueChanges {
      if case .queued(let message) = change { highestID = max(highestID, message.id) }
      try database.replay(ofQueue: change)
    }
    try database.change(
      "UPDATE state SET value = max(value, ?) WHERE name = 'next_id'", .integer(highestID + 1))
  }

  /// Returns the highest of the IDs.
  private func add(_ messages: [Message], to database: Database) throws(StoreError) -> Int64 {
    var mailboxes: [Int64: Mailbox] = [:]
    var highestID: Int64 = 0
    for message in messages {
      let body = message.header.bodyID
      highestID = max(highestID, body)
      var entries: [Int64: Int] = [:]
      for placement in message.placements {
        let number = placement.mailbox
        if mailboxes[number] == nil { mailboxes[number] = try database.mailbox(MailboxID(rawValue: number)) }
        guard var mailbox = mailboxes[number], mailbox.uidNext.rawValue <= placement.uid else {
          throw .corrupt(
            "pack \(state.pack.segment) has a new message for mailbox \(number) with UID \(placement.uid), and store.db "
              + "speaks against it: run martlet store repair")
        }
        let keywords = Keyword.decode(placement.keywords.isEmpty ? nil : placement.keywords)
        let flags = MessageFlags(SystemFlags(rawValue: placement.flags), keywords: keywords)
        let size = Int64(placement.prefix.count + message.header.bodySize)
        try database.insert(
          .entry(
            mailbox: number, uid: placement.uid, message: placement.email, flags: flags,
            modSequence: placement.modSequence, saved: placement.saved))
        mailbox.uidNext = UID(rawValue: placement.uid + 1)
        mailbox.highestModSequence = max(mailbox.highestModSequence, ModSequence(rawValue: placement.modSequence))
        mailbox.count(flags.system, size: size, by: 1)
        mailboxes[number] = mailbox
        entries[placement.email, default: 0] += 1
      }
      let references = ThreadReferences(message.structure.envelope, key: state.threadKey)
      for placement in message.placements {
        guard let count = entries.removeValue(forKey: placement.email) else { continue }
        highestID = max(highestID, placement.email)
        try database.insert(
          .message(
            id: placement.email, account: placement.account, body: body, thread: placement.thread,
            size: placement.prefix.count + message.header.bodySize,
            date: DateTime(
              timestamp: Timestamp(microseconds: placement.internalDate), offsetMinutes: Int(placement.internalOffset)),
            prefix: placement.prefix, entries: count))
        try database.insertThread(placement, of: references)
      }
      try database.insert(
        .body(
          id: body, pack: state.pack.segment, position: message.position, size: message.header.bodySize,
          checksum: message.header.bodyChecksum, structure: message.structure.encoded()))
    }
    for mailbox in mailboxes.values { try database.update(mailbox) }
    return highestID
  }
}
