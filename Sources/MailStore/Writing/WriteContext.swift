import MessageFormat
import SQLite

/// What the writer's thread knows while it applies a group: the open transaction, the pack, and the rows it has at
/// hand.
///
/// Rows of mailboxes and accounts are changed here and written once at the group's end. A change that fails puts back
/// the rows it touched; a group that fails forgets them all.
final class WriteContext: StoreTransaction {
  struct AccountRow {
    var id: AccountID
    var address: String
    var quota: Quota
    var usedBytes: Int64
    var usedMessages: Int64
    var lastUIDValidity: UInt32
  }

  struct NameKey: Hashable {
    var account: AccountID
    var name: MailboxName
  }

  private(set) var database: Database
  let packs: PackWriter
  let layout: StoreLayout
  let files: FileAccess
  let clock: WallClock

  /// Domains, accounts and aliases as they will be after this group.
  var directory: Directory
  private(set) var isDirectoryChanged = false
  private var nextID: Int64
  // What the database has of these.
  private var lastWrittenID: Int64 = 0
  private(set) var writtenPack: (segment: Int64, end: Int64)
  private var mailboxes: [MailboxID: Mailbox] = [:]
  private var names: [NameKey: MailboxID] = [:]
  private var accounts: [AccountID: AccountRow] = [:]

  // Of the group.
  private(set) var changedMailboxes: Set<MailboxID> = []
  private(set) var removedMailboxes: [MailboxID] = []
  private(set) var changes: [(account: AccountID, change: Change)] = []
  private var movedSpools: [(SpoolFile, String)] = []
  /// Something has come into the queue, or is due earlier than it was.
  var isQueueChanged = false
  /// What the packs must be told besides the placements of bodies.
  private var recorded: [RecordedChange] = []
  /// What new messages bring to the database and has not been put into it yet.
  private var newRows = NewRows()
  /// The group is committed when its records are on the disk.
  private var isCommittedByPack = false
  /// Where the group's records end; nil where it has none.
  private var recordsEnd: (segment: Int64, end: Int64)?

  // Of the operation in hand, to undo it.
  private var oldMailboxes: [MailboxID: Mailbox?] = [:]
  private var oldAccounts: [AccountID: AccountRow?] = [:]
  private var oldDirectory: (Directory, Bool)?
  private var changesBefore = 0
  private var removedBefore = 0
  private var movedBefore = 0
  private var recordedBefore = 0
  private var newRowsBefore = 0
  /// New rows wait for the group's end.
  private var areRowsDeferred = false
  private var packBefore: PackWriter.Mark

  /// Rows kept from group to group; beyond this all are forgotten and read again as needed.
  private static let rowLimit = 20_000

  init(
    database: Database, packs: PackWriter, layout: StoreLayout, files: FileAccess, clock: WallClock,
    directory: Directory, nextID: Int64,
    writtenPack writtenPackAtStart: (segment: Int64, end: Int64)
  ) {
    self.database = database
    self.packs = packs
    self.layout = layout
    self.files = files
    self.clock = clock
    self.directory = directory
    self.nextID = nextID
    lastWrittenID = nextID
    writtenPack = writtenPackAtStart
    packBefore = packs.mark
  }

  // MARK: Group

  /// - Parameter mayPackCommit: what its changes do is among what `TailReplay` brings back.
  func beginGroup(mayPackCommit: Bool) throws(StoreError) {
    if mailboxes.count + names.count + accounts.count > Self.rowLimit { forgetRows() }
    endGroup()
    packs.beginGroup()
    // After a power cut only the pack that `store.db` calls the active one is looked at for groups it does not have.
    isCommittedByPack = mayPackCommit && !packs.isAtBeginning
    do throws(SQLiteError) {
      try database.flushCommits(!isCommittedByPack)
      try database.begin()
    } catch {
      throw StoreError(error)
    }
  }

  /// Ends the group's records with what it did besides adding messages, and, where the pack commits it, with the one
  /// that says so. After this the pack can be flushed, also by another thread while this one writes rows.
  /// - Returns: false where it was begun as a group that the pack may commit, and has done more: a delivery made the
  /// mailbox it goes to.
  func endRecords() throws(StoreError) -> Bool {
    if isCommittedByPack {
      guard !hasNewLargeBodies, recorded.allSatisfy(\.isReplayed) else { return false }
    }
    if !recorded.isEmpty { try append(recorded) }
    if isCommittedByPack, packs.hasRecords {
      try append(PackRecord.encode(endOfGroupOf: packs.newOctets, stamp: packs.stamp))
    }
    recordsEnd = packs.hasRecords ? (packs.segment, packs.newEnd) : nil
    return true
  }

  /// Puts into the database what new messages have brought so far.
  func writeNewRows() throws(StoreError) {
    for row in newRows.rows { try database.insert(row) }
    newRows.removeAll()
  }

  /// Writes the rows the group has changed, after `endRecords`. Does not look at the pack: it may be being flushed.
  func writeRows() throws(StoreError) {
    for id in changedMailboxes {
      guard let mailbox = mailboxes[id] else { continue }
      try database.update(mailbox)
    }
    if let recordsEnd {
      if recordsEnd.segment != writtenPack.segment {
        if writtenPack.segment > 0 {
          try database.change(
            "INSERT OR REPLACE INTO sealed_packs (id, length) VALUES (?, ?)", .integer(writtenPack.segment),
            .integer(writtenPack.end))
        }
        try database.change("UPDATE state SET value = ? WHERE name = 'pack'", .integer(recordsEnd.segment))
      }
      try database.change("UPDATE state SET value = ? WHERE name = 'pack_end'", .integer(recordsEnd.end))
    }
    if lastWrittenID != nextID {
      try database.change("UPDATE state SET value = ? WHERE name = 'next_id'", .integer(nextID))
      lastWrittenID = nextID
    }
  }

  func changedMailboxRows() -> [MailboxID: Mailbox] {
    var rows: [MailboxID: Mailbox] = [:]
    for id in changedMailboxes { rows[id] = mailboxes[id] }
    return rows
  }

  /// The group is committed.
  func commitGroup() {
    if packs.hasRecords { writtenPack = (packs.segment, packs.newEnd) }
    packs.commitGroup()
  }

  /// The group is over and everybody knows of it.
  func endGroup() {
    changedMailboxes = []
    removedMailboxes = []
    changes = []
    movedSpools = []
    recorded = []
    newRows.removeAll()
    recordsEnd = nil
    isDirectoryChanged = false
    isQueueChanged = false
  }

  /// The group has failed: nothing of it has happened.
  /// - Parameter isCertain: false where the commit itself failed, so that after a crash it may turn out to have
  /// happened.
  func abandonGroup(directory: Directory, isCertain: Bool) {
    if isCertain {
      for (spool, path) in movedSpools.reversed() { spool.moveBack(from: path) }
      packs.abandonGroup()
    } else {
      packs.seal()
    }
    self.directory = directory
    lastWrittenID = 0
    forgetRows()
    endGroup()
  }

  /// After an error of the device the old connection is not used again.
  func use(_ database: Database) { self.database = database }

  private func forgetRows() {
    mailboxes = [:]
    names = [:]
    accounts = [:]
  }

  // MARK: One operation in the group

  /// - Parameter areRowsDeferred: the operation adds messages and reads nothing that others of the group have added;
  /// its new rows wait for `writeNewRows`.
  func beginOperation(areRowsDeferred: Bool) throws(StoreError) {
    self.areRowsDeferred = areRowsDeferred
    oldMailboxes.removeAll(keepingCapacity: true)
    oldAccounts.removeAll(keepingCapacity: true)
    oldDirectory = nil
    changesBefore = changes.count
    removedBefore = removedMailboxes.count
    movedBefore = movedSpools.count
    recordedBefore = recorded.count
    newRowsBefore = newRows.count
    packBefore = packs.mark
    do throws(SQLiteError) { try database.beginSavepoint() } catch { throw StoreError(error) }
  }

  func endOperation() throws(StoreError) {
    do throws(SQLiteError) { try database.releaseSavepoint() } catch { throw StoreError(error) }
  }

  func undoOperation() throws(StoreError) {
    do throws(SQLiteError) { try database.undoSavepoint() } catch { throw StoreError(error) }
    for (id, row) in oldMailboxes { mailboxes[id] = row }
    for (id, row) in oldAccounts { accounts[id] = row }
    if let (directory, wasChanged) = oldDirectory {
      self.directory = directory
      isDirectoryChanged = wasChanged
    }
    names = [:]
    changes.removeSubrange(changesBefore...)
    removedMailboxes.removeSubrange(removedBefore...)
    for (spool, path) in movedSpools[movedBefore...].reversed() { spool.moveBack(from: path) }
    movedSpools.removeSubrange(movedBefore...)
    recorded.removeSubrange(recordedBefore...)
    newRows.undo(to: newRowsBefore)
    packs.undo(to: packBefore)
  }

  // MARK: Rows

  func newID() -> Int64 {
    defer { nextID += 1 }
    return nextID
  }

  func insert(_ row: NewRow) throws(StoreError) {
    if areRowsDeferred { newRows.append(row) } else { try database.insert(row) }
  }

  /// The thread of a message ID among the rows that wait.
  func newThread(_ key: ThreadKey) -> Int64? { newRows.thread(key) }

  func note(_ change: Change, of account: AccountID) { changes.append((account, change)) }

  /// Notes for the packs what the operation has changed. New messages need none: their placements say it.
  func record(_ change: RecordedChange) { recorded.append(change) }

  /// Puts a change record into the pack.
  func append(_ changes: [RecordedChange]) throws(StoreError) {
    try append(PackRecord.encode(changes: changes, stamp: packs.stamp))
  }

  private func append(_ record: [UInt8]) throws(StoreError) {
    do throws(FileError) { try packs.append(record) } catch { throw error.storeError }
  }

  func record(_ mailbox: Mailbox) { recorded.append(.mailbox(RecordedMailbox(mailbox))) }

  func changeDirectory(_ body: (inout Directory) -> Void) {
    if oldDirectory == nil { oldDirectory = (directory, isDirectoryChanged) }
    isDirectoryChanged = true
    body(&directory)
  }

  func account(_ id: AccountID) throws(StoreError) -> AccountRow {
    if let known = accounts[id] { return known }
    let row = try database.one(
      """
      SELECT local_part, domain, quota_bytes, quota_messages,
        (SELECT sum(size) FROM mailboxes WHERE account = a.id),
        (SELECT sum(messages) FROM mailboxes WHERE account = a.id),
        last_uid_validity
      FROM accounts a WHERE id = ?
      """, .integer(id.rawValue)
    ) { row in
      AccountRow(
        id: id, address: "\(row.text(0))@\(row.text(1))",
        quota: Quota(bytes: row.optionalInteger(2), messages: row.optionalInteger(3)), usedBytes: row.integer(4),
        usedMessages: row.integer(5), lastUIDValidity: UInt32(truncatingIfNeeded: row.integer(6)))
    }
    guard let row else { throw .accountNotFound }
    accounts[id] = row
    return row
  }

  func update(_ account: AccountRow) {
    if oldAccounts[account.id] == nil { oldAccounts[account.id] = .some(accounts[account.id]) }
    accounts[account.id] = account
  }

  func forget(_ account: AccountID) {
    if oldAccounts[account] == nil { oldAccounts[account] = .some(accounts[account]) }
    accounts[account] = nil
  }

  func mailbox(_ id: MailboxID) throws(StoreError) -> Mailbox {
    if let known = mailboxes[id] { return known }
    guard let mailbox = try database.mailbox(id) else { throw .mailboxNotFound }
    mailboxes[id] = mailbox
    return mailbox
  }

  func mailbox(named name: MailboxName, of account: AccountID) throws(StoreError) -> Mailbox? {
    let key = NameKey(account: account, name: name)
    if let id = names[key] { return try mailbox(id) }
    // The name may be one that this group has given and not written yet; renames are written at once for that reason.
    guard let found = try database.mailbox(named: name, of: account) else { return nil }
    names[key] = found.id
    return try mailbox(found.id)
  }

  /// A mailbox that can hold messages.
  func selectable(_ id: MailboxID) throws(StoreError) -> Mailbox {
    let mailbox = try mailbox(id)
    guard mailbox.isSelectable else { throw .mailboxNotSelectable }
    return mailbox
  }

  func update(_ mailbox: Mailbox) {
    if oldMailboxes[mailbox.id] == nil { oldMailboxes[mailbox.id] = .some(mailboxes[mailbox.id]) }
    mailboxes[mailbox.id] = mailbox
    changedMailboxes.insert(mailbox.id)
  }

  /// The mailbox is gone.
  func remove(_ mailbox: Mailbox) {
    if oldMailboxes[mailbox.id] == nil { oldMailboxes[mailbox.id] = .some(mailboxes[mailbox.id]) }
    mailboxes[mailbox.id] = nil
    names[NameKey(account: mailbox.account, name: mailbox.name)] = nil
    removedMailboxes.append(mailbox.id)
  }

  /// After a mailbox got another name.
  func forgetNames() { names = [:] }

  /// Makes a spooled body one of the large ones. Its contents are flushed already, its new name is before the commit.
  func keepLarge(_ spool: SpoolFile, as body: Int64) throws(StoreError) {
    let path = layout.large(body)
    do throws(FileError) { try spool.move(to: path) } catch { throw error.storeError }
    movedSpools.append((spool, path))
  }

  var hasNewLargeBodies: Bool { !movedSpools.isEmpty }
}
