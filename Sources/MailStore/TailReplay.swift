import Logging
import MessageFormat
import SQLite

/// Brings into `store.db` what a power cut has taken from it: groups of new messages, and of changes of entries and of
/// the queue, which are committed when their records are in the pack. Nothing else can be missing, since every other
/// commit flushes the log, with all that was logged before it, and the first group of a pack does.
///
/// What such groups did without a record stays lost: which messages were recent, when attempts were made and are due,
/// and what accounts have sent.
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
  fileprivate struct Message {
    var header: PackRecord.Header
    var position: Int64
    var placements: [PackRecord.Placement]
    var structure: MessageStructure
  }

  fileprivate struct Group {
    var messages: [Message] = []
    var changes: [RecordedChange] = []
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
    var replay = Replay(database: database, state: state)
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
      case (.changes(let changes), _) where changes.allSatisfy(\.isReplayed):
        group.changes += changes
      case (.groupEnd(let octets), _) where record.position - groupStart == octets:
        if groups == 0 { try begin(database) }
        try replay.add(group)
        groups += 1
        messages += group.messages.count
        group = Group()
        groupStart = record.end
      default:
        break scanning
      }
    }
    guard groups > 0 else { return }
    try replay.finish()
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
}

extension RecordedChange {
  /// A group may be committed by its pack where all its changes are of these kinds.
  var isReplayed: Bool {
    switch self {
    case .entries, .removed, .expunged, .queued, .unqueued, .queueState: true
    default: false
    }
  }
}

/// Does as `WriteContext` does, with the numbers that were given.
private struct Replay {
  let database: Database
  let state: StoreState
  /// What was touched, with what it gives next; counters are not kept.
  private var mailboxes: [Int64: Mailbox] = [:]
  private var highestID: Int64 = 0

  init(database: Database, state: StoreState) {
    self.database = database
    self.state = state
  }

  mutating func add(_ group: TailReplay.Group) throws(StoreError) {
    for message in group.messages { try add(message) }
    for change in group.changes { try apply(change) }
  }

  /// The rows of what was touched.
  func finish() throws(StoreError) {
    for mailbox in mailboxes.values {
      try database.update(mailbox)
      try database.countMessages(in: mailbox.id.rawValue)
    }
    try database.change("UPDATE state SET value = max(value, ?) WHERE name = 'next_id'", .integer(highestID + 1))
  }

  private mutating func add(_ message: TailReplay.Message) throws(StoreError) {
    let (body, size) = (message.header.bodyID, message.header.bodySize)
    highestID = max(highestID, body)
    var entries: [Int64: Int] = [:]
    for placement in message.placements {
      guard try mailbox(placement.mailbox).uidNext.rawValue <= placement.uid else {
        throw .corrupt(
          "pack \(state.pack.segment) has a new message for mailbox \(placement.mailbox) with UID \(placement.uid), and "
            + "store.db speaks against it: run martlet store repair")
      }
      try database.insert(placement.entry, in: placement.mailbox)
      try touch(placement.mailbox, uid: placement.uid, modSequence: placement.modSequence)
      entries[placement.email, default: 0] += 1
    }
    let references = ThreadReferences(message.structure.envelope, key: state.threadKey)
    for placement in message.placements {
      guard let count = entries.removeValue(forKey: placement.email) else { continue }
      highestID = max(highestID, placement.email)
      try database.insert(
        .message(
          id: placement.email, account: placement.account, body: body, thread: placement.thread,
          size: placement.prefix.count + size,
          date: DateTime(
            timestamp: Timestamp(microseconds: placement.internalDate), offsetMinutes: Int(placement.internalOffset)),
          prefix: placement.prefix, entries: count))
      try database.insertThread(placement, of: references)
    }
    try database.insert(
      .body(
        id: body, pack: state.pack.segment, position: message.position, size: size,
        checksum: message.header.bodyChecksum, structure: message.structure.encoded()))
  }

  private mutating func apply(_ change: RecordedChange) throws(StoreError) {
    switch change {
    case .entries(let mailbox, let entries):
      try database.replay(entries, in: mailbox)
      for entry in entries { try touch(mailbox, uid: entry.uid, modSequence: entry.modSequence) }
    case .removed(let mailbox, let modSequence, let time, let runs):
      for run in runs { try remove(run, from: mailbox, modSequence: modSequence, at: time) }
    case .expunged(let id, let name, let modSequence, let time, let runs):
      let account = try mailbox(id).account.rawValue
      for run in runs {
        try database.keepDeleted(run, of: id, name, account: account, at: time)
        try remove(run, from: id, modSequence: modSequence, at: time)
      }
    case .queued(let message):
      highestID = max(highestID, message.id)
      try database.replay(message)
    case .unqueued(let message, let positions): _ = try database.unqueue(message, positions)
    case .queueState(let message, let positions, let state, let result):
      try database.setQueueState(message, positions, Int64(state), result)
    default: break
    }
  }

  private mutating func remove(
    _ run: ClosedRange<UInt32>, from mailbox: Int64, modSequence: Int64, at time: Int64
  ) throws(StoreError) {
    try database.replayRemoval(of: run, from: mailbox, modSequence: modSequence, at: time)
    try touch(mailbox, uid: run.upperBound, modSequence: modSequence)
  }

  private mutating func touch(_ id: Int64, uid: UInt32, modSequence: Int64) throws(StoreError) {
    var mailbox = try mailbox(id)
    mailbox.uidNext = max(mailbox.uidNext, UID(rawValue: uid + 1))
    mailbox.highestModSequence = max(mailbox.highestModSequence, ModSequence(rawValue: modSequence))
    mailboxes[id] = mailbox
  }

  private mutating func mailbox(_ id: Int64) throws(StoreError) -> Mailbox {
    if let known = mailboxes[id] { return known }
    guard let mailbox = try database.mailbox(MailboxID(rawValue: id)) else {
      throw .corrupt(
        "pack \(state.pack.segment) tells of mailbox \(id), which store.db does not have: run martlet store repair")
    }
    mailboxes[id] = mailbox
    return mailbox
  }
}
