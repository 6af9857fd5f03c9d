import MessageFormat
import SQLite

/// Compares two databases of the same store, old and new, by what they say of accounts, mailboxes and messages.
struct StoreDifferences {
  let old: Database
  let new: Database
  private(set) var found = RepairPlan.Differences()
  /// The old one has something of which the new one cannot say that it is gone.
  private(set) var hasUnexplained = false

  private static let batch = 5_000

  init(old: Database, new: Database, removed directory: ReplayedDirectory) throws(StoreError) {
    self.old = old
    self.new = new
    try compareDirectories(directory)
    try compareEntries(directory)
    try compareDeleted()
    try compareDeletedEntries()
    try compareQueues()
    try compareImports()
  }

  // MARK: Accounts and mailboxes

  private mutating func compareDirectories(_ removed: ReplayedDirectory) throws(StoreError) {
    let before = try Directory(reading: old)
    let after = try Directory(reading: new)
    for account in before.accounts {
      guard let other = after.account(account.id) else {
        found.accountsNotFound.append("\(account.address)")
        if removed.removedAccounts[account.id.rawValue] == nil { hasUnexplained = true }
        continue
      }
      let subscriptions = (try old.subscriptions(of: account.id), try new.subscriptions(of: account.id))
      if account != other || subscriptions.0 != subscriptions.1 { found.settingsChanged.append("\(account.address)") }
    }
    for account in after.accounts where before.account(account.id) == nil {
      found.accountsMissing.append("\(account.address)")
    }
    if before.aliases != after.aliases { found.settingsChanged.append("aliases") }
    if try old.signingKeys() != new.signingKeys() { found.settingsChanged.append("signing keys") }
    if before.domains != after.domains { found.settingsChanged.append("domains") }
    let addresses = Dictionary(
      (before.accounts + after.accounts).map { ($0.id, "\($0.address)") }, uniquingKeysWith: { $1 })
    for account in addresses.keys.sorted() {
      let old = Dictionary(uniqueKeysWithValues: try self.old.mailboxes(of: account).map { ($0.id, $0) })
      let new = Dictionary(uniqueKeysWithValues: try self.new.mailboxes(of: account).map { ($0.id, $0) })
      for id in Set(old.keys).union(new.keys).sorted() {
        compare(old[id], new[id], of: addresses[account] ?? "", removed)
      }
    }
  }

  private mutating func compare(_ old: Mailbox?, _ new: Mailbox?, of account: String, _ removed: ReplayedDirectory) {
    guard let new else {
      guard let old else { return }
      found.mailboxesNotFound.append("\(account) \(old.name)")
      if !removed.removedMailboxes.contains(old.id.rawValue) { hasUnexplained = true }
      return
    }
    guard var old else {
      found.mailboxesMissing.append("\(account) \(new.name)")
      return
    }
    old.firstRecent = new.firstRecent
    if old != new { found.mailboxesChanged.append("\(account) \(new.name)") }
  }

  // MARK: Entries

  private struct Entry: Equatable {
    var mailbox: Int64
    var entry: RecordedEntry
    func isBefore(_ other: Entry) -> Bool { (mailbox, entry.uid) < (other.mailbox, other.entry.uid) }
  }

  /// The entries of one database in order, some at a time.
  private struct Cursor {
    let database: Database
    var entries: [Entry] = []
    var position = 0
    var last: (mailbox: Int64, uid: UInt32) = (0, 0)

    mutating func current() throws(StoreError) -> Entry? {
      if position < entries.count { return entries[position] }
      entries.removeAll(keepingCapacity: true)
      position = 0
      try database.each(
        """
        SELECT uid, message, flags, keywords, modseq, saved, mailbox FROM entries
        WHERE (mailbox, uid) > (?, ?) ORDER BY mailbox, uid LIMIT ?
        """, .integer(last.mailbox), .integer(Int64(last.uid)), .integer(Int64(StoreDifferences.batch))
      ) { entries.append(Entry(mailbox: $0.integer(6), entry: RecordedEntry($0))) }
      if let end = entries.last { last = (end.mailbox, end.entry.uid) }
      return entries.first
    }
  }

  private mutating func compareEntries(_ removed: ReplayedDirectory) throws(StoreError) {
    var before = Cursor(database: old)
    var after = Cursor(database: new)
    while true {
      let left = try before.current()
      let right = try after.current()
      switch (left, right) {
      case (nil, nil): return
      case (let left?, nil):
        try miss(left, removed)
        before.position += 1
      case (nil, _?):
        found.messagesMissing += 1
        after.position += 1
      case (let left?, let right?):
        if left.isBefore(right) {
          try miss(left, removed)
          before.position += 1
        } else if right.isBefore(left) {
          found.messagesMissing += 1
          after.position += 1
        } else {
          if left != right { found.messagesChanged += 1 }
          before.position += 1
          after.position += 1
        }
      }
    }
  }

  private mutating func compareDeleted() throws(StoreError) {
    var last: Int64 = 0
    while true {
      var ids: [Int64] = []
      try old.each(
        "SELECT id FROM messages WHERE id > ? AND orphaned_at IS NOT NULL ORDER BY id LIMIT ?", .integer(last),
        .integer(Int64(Self.batch))
      ) { ids.append($0.integer(0)) }
      guard let end = ids.last else { return }
      last = end
      for id in ids {
        let isThere = try new.one("SELECT 1 FROM messages WHERE id = ?", .integer(id)) { _ in true }
        if isThere == nil { found.deletedNotFound += 1 }
      }
    }
  }

  private mutating func compareDeletedEntries() throws(StoreError) {
    found.deletedChanged = max(
      try count(deletedEntriesOf: new, notIn: old), try count(deletedEntriesOf: old, notIn: new))
  }

  private func count(deletedEntriesOf one: Database, notIn other: Database) throws(StoreError) -> Int64 {
    var last: (Int64, RecordedDeletionKey) = (.min, RecordedDeletionKey(time: 0, mailbox: 0, uid: 0))
    var count: Int64 = 0
    while true {
      var rows: [(account: Int64, key: RecordedDeletionKey, values: [SQLValue])] = []
      try one.each(
        """
        SELECT deleted_at, mailbox, uid, account, name, message, flags, keywords FROM deleted_entries
        WHERE (account, deleted_at, mailbox, uid) > (?, ?, ?, ?)
        ORDER BY account, deleted_at, mailbox, uid LIMIT ?
        """, .integer(last.0), .integer(last.1.time), .integer(last.1.mailbox), .integer(Int64(last.1.uid)),
        .integer(Int64(Self.batch))
      ) { row in rows.append((row.integer(3), RecordedDeletionKey(row), (4..<8).map { row.value($0) })) }
      guard let end = rows.last else { return count }
      last = (end.account, end.key)
      for row in rows {
        let isSame = try other.one(
          """
          SELECT 1 FROM deleted_entries WHERE account = ? AND deleted_at = ? AND mailbox = ? AND uid = ?
            AND name IS ? AND message IS ? AND flags IS ? AND keywords IS ?
          """, .integer(row.account), .integer(row.key.time), .integer(row.key.mailbox), .integer(Int64(row.key.uid)),
          row.values[0], row.values[1], row.values[2], row.values[3]
        ) { _ in true }
        if isSame == nil { count += 1 }
      }
    }
  }

  // MARK: The queue

  private mutating func compareQueues() throws(StoreError) {
    found.queueChanged = max(try count(queuedIn: new, notIn: old), try count(queuedIn: old, notIn: new))
  }

  private func count(queuedIn one: Database, notIn other: Database) throws(StoreError) -> Int64 {
    var (message, position, count): (Int64, Int64, Int64) = (0, -1, 0)
    while true {
      var rows: [[SQLValue]] = []
      try one.each(
        """
        SELECT r.message, r.position, r.address, r.state, m.sender, m.body FROM queued_recipients r
        JOIN queued_messages m ON m.id = r.message
        WHERE (r.message, r.position) > (?, ?) ORDER BY r.message, r.position LIMIT ?
        """, .integer(message), .integer(position), .integer(Int64(Self.batch))
      ) { row in
        rows.append((0..<6).map { row.value($0) })
        (message, position) = (row.integer(0), row.integer(1))
      }
      guard !rows.isEmpty else { return count }
      for row in rows {
        let isSame = try other.one(
          """
          SELECT 1 FROM queued_recipients r JOIN queued_messages m ON m.id = r.message
          WHERE r.message = ? AND r.position = ? AND r.address = ? AND r.state = ? AND m.sender = ? AND m.body = ?
          """, row[0], row[1], row[2], row[3], row[4], row[5]
        ) { _ in true }
        if isSame == nil { count += 1 }
      }
    }
  }

  // MARK: Imports

  private mutating func compareImports() throws(StoreError) {
    found.importsChanged = max(try count(importsOf: new, notIn: old), try count(importsOf: old, notIn: new))
  }

  /// Origins and messages together.
  private func count(importsOf one: Database, notIn other: Database) throws(StoreError) -> Int64 {
    var count: Int64 = 0
    var imports: [RecordedImport] = []
    try one.each(
      "SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports ORDER BY id"
    ) { imports.append(RecordedImport($0)) }
    for origin in imports {
      let same = try other.one(
        "SELECT id, account, origin, mailbox, name, uid_validity, uid_next FROM imports WHERE id = ?",
        .integer(origin.id)
      ) { RecordedImport($0) }
      if same != origin { count += 1 }
      var last: [UInt8] = []
      while true {
        var messages: [RecordedImportedMessage] = []
        try one.each(
          """
          SELECT key, mailbox, uid, flags, keywords FROM imported WHERE import = ? AND key > ? ORDER BY key LIMIT ?
          """, .integer(origin.id), .blob(last), .integer(Int64(Self.batch))
        ) { messages.append(RecordedImportedMessage($0)) }
        guard let end = messages.last?.key else { break }
        last = end
        for message in messages {
          let same = try other.one(
            "SELECT key, mailbox, uid, flags, keywords FROM imported WHERE import = ? AND key = ?",
            .integer(origin.id), .blob(message.key)
          ) { RecordedImportedMessage($0) }
          if same != message { count += 1 }
        }
      }
    }
    return count
  }

  private mutating func miss(_ entry: Entry, _ removed: ReplayedDirectory) throws(StoreError) {
    found.messagesNotFound += 1
    guard !hasUnexplained, !removed.removedMailboxes.contains(entry.mailbox) else { return }
    let isExplained = try new.one(
      "SELECT 1 FROM vanished WHERE mailbox = ? AND ? BETWEEN first AND last LIMIT 1", .integer(entry.mailbox),
      .integer(Int64(entry.entry.uid))
    ) { _ in true }
    if isExplained == nil { hasUnexplained = true }
  }
}
