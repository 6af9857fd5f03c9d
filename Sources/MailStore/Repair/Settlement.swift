import MessageFormat
import SQLite

/// Makes of what was read a store in which everything holds: names are given, what is lost is taken out as expunged,
/// counters are counted.
struct Settlement {
  let replay: HistoryReplay
  let now: Timestamp
  /// How many UIDs and mod-sequences may have been given that nothing tells of any more.
  let slack: Int64

  private(set) var notes: [String] = []
  private(set) var lost: [RepairPlan.LostMessage] = []
  private(set) var lostCount: Int64 = 0
  private(set) var lostDeletedCount: Int64 = 0
  /// Of what no longer needs its body, though no record that can be read says so.
  private var goneCount: Int64 = 0
  private var nextID: Int64

  private var database: Database { replay.database }

  /// The packs do not tell all that is there now.
  var hasChanged: Bool { lostCount > 0 || goneCount > 0 || !notes.isEmpty }

  init(_ replay: HistoryReplay, now: Timestamp, slack: Int64) {
    self.replay = replay
    self.now = now
    self.slack = slack
    nextID = replay.highestID + 1 + slack
  }

  mutating func run() throws(StoreError) {
    try findAccountsOfNamelessMailboxes()
    settleAccounts()
    for id in replay.directory.accounts.keys.sorted() { settleMailboxes(of: id) }
    if slack > 0 { try stepOver() }
    try writeDirectory()
    try countUses()
    try settleQueue()
    try removeLost()
    try countMessages()
    try database.change("UPDATE state SET value = ? WHERE name = 'next_id'", .integer(nextID))
  }

  private mutating func newID() -> Int64 {
    defer { nextID += 1 }
    return nextID
  }

  // MARK: Accounts

  private mutating func settleAccounts() {
    var byKey: [String: Int64] = [:]
    for (id, state) in replay.directory.accounts.sorted(by: { $0.key > $1.key }) {
      var account = state.account
      guard let domain = Domain(account.domain), !account.localPart.isEmpty else {
        notes.append("account \(id) has no address that can be read and is left out")
        remove(id)
        continue
      }
      var address = EmailAddress(localPart: account.localPart, domain: domain)
      if byKey[address.lookupKey] != nil {
        // The newer one has the address; the older one was removed, and nothing that can be read says so.
        address = EmailAddress(localPart: "\(account.localPart).recovered.\(id)", domain: domain)
        notes.append("there were two accounts \(account.localPart)@\(domain); the older is called \(address) now")
        account.localPart = address.localPart
        replay.directory.accounts[id]?.account = account
      }
      byKey[address.lookupKey] = id
      replay.directory.domains.insert(domain.text)
      if !state.isWhole {
        notes.append("account \(address): passwords and limits are lost; set them anew")
      }
    }
    for (pattern, alias) in replay.directory.aliases where byKey[pattern] != nil || Domain(alias.domain) == nil {
      replay.directory.aliases[pattern] = nil
    }
    for alias in replay.directory.aliases.values { replay.directory.domains.insert(alias.domain) }
    replay.directory.domains = replay.directory.domains.filter { Domain($0) != nil }
  }

  private func remove(_ account: Int64) { _ = replay.directory.removeAccount(account, at: 0) }

  /// A mailbox whose own record is lost belongs to whom its messages belong to.
  private mutating func findAccountsOfNamelessMailboxes() throws(StoreError) {
    for var mailbox in replay.directory.mailboxes.values
    where replay.directory.accounts[mailbox.account] == nil {
      let account = try database.one(
        "SELECT m.account FROM entries e JOIN messages m ON m.id = e.message WHERE e.mailbox = ? LIMIT 1",
        .integer(mailbox.id)
      ) { $0.integer(0) }
      if let account, replay.directory.accounts[account] != nil {
        mailbox.account = account
        replay.directory.set(mailbox)
      } else {
        replay.directory.removeMailbox(mailbox.id)
      }
    }
  }

  // MARK: Mailboxes

  private mutating func settleMailboxes(of account: Int64) {
    var names: Set<String> = []
    let address = self.address(of: account)
    // Newer ones keep their names.
    for var mailbox in replay.directory.mailboxes(of: account).sorted(by: { $0.id > $1.id }) {
      if MailboxName(mailbox.name)?.text != mailbox.name { mailbox.name = "Recovered \(mailbox.id)" }
      if !names.insert(mailbox.name).inserted {
        let name = "\(mailbox.name) (recovered \(mailbox.id))"
        notes.append("account \(address): there were two mailboxes \(mailbox.name); the older is called \(name) now")
        mailbox.name = name
        names.insert(name)
      }
      if mailbox.uidValidity == 0 {
        mailbox.uidValidity = newUIDValidity(of: account)
        notes.append("account \(address): mailbox \(mailbox.name) has a new UIDVALIDITY; its own is lost")
      }
      replay.directory.set(mailbox)
    }
    if !names.contains(MailboxName.inbox.text) { make(MailboxName.inbox, of: account, &names) }
    for name in names.sorted() {
      var parent = MailboxName(stored: name).parent
      while let missing = parent, !names.contains(missing.text) {
        make(missing, of: account, &names)
        parent = missing.parent
      }
    }
  }

  private mutating func make(_ name: MailboxName, of account: Int64, _ names: inout Set<String>) {
    names.insert(name.text)
    replay.directory.set(
      RecordedMailbox(
        id: newID(), account: account, name: name.text, specialUse: nil, isSelectable: true,
        uidValidity: newUIDValidity(of: account), uidNext: 1, modSequence: 1))
    notes.append("account \(address(of: account)): mailbox \(name) was not found and is made anew")
  }

  private func newUIDValidity(of account: Int64) -> UInt32 {
    let last = replay.directory.accounts[account]?.account.lastUIDValidity ?? 0
    let value = max(UInt32(clamping: now.seconds), last &+ 1, 1)
    replay.directory.accounts[account]?.account.lastUIDValidity = value
    return value
  }

  /// UIDs are never reused, so those that may have been given are left out.
  private mutating func stepOver() throws(StoreError) {
    // UIDs that an import took over have gaps of any size: nobody can say how far those went that are lost.
    var takenOver: Set<[Int64]> = []
    try database.each("SELECT mailbox, uid_validity FROM imports WHERE uid_validity IS NOT NULL") {
      takenOver.insert([$0.integer(0), $0.integer(1)])
    }
    for var mailbox in replay.directory.mailboxes.values {
      mailbox.modSequence += slack
      if takenOver.contains([mailbox.id, Int64(mailbox.uidValidity)]) {
        mailbox.uidValidity = newUIDValidity(of: mailbox.account)
        notes.append(
          "account \(address(of: mailbox.account)): mailbox \(mailbox.name) has a new UIDVALIDITY; it had the UIDs of "
            + "another server, and nothing tells how far they went")
      } else if Int64(mailbox.uidNext) + slack < Int64(UInt32.max) {
        mailbox.uidNext += UInt32(slack)
      } else {
        mailbox.uidValidity = newUIDValidity(of: mailbox.account)
        notes.append(
          "account \(address(of: mailbox.account)): mailbox \(mailbox.name) has a new UIDVALIDITY; it has no UIDs left")
      }
      replay.directory.set(mailbox)
    }
    notes.append(
      "changes are lost that nothing tells of, so UIDs and mod-sequences of all mailboxes go on \(slack) further")
  }

  private func address(of account: Int64) -> String {
    replay.directory.accounts[account].map { "\($0.account.localPart)@\($0.account.domain)" } ?? "\(account)"
  }

  // MARK: Tables

  private func writeDirectory() throws(StoreError) {
    let directory = replay.directory
    for domain in directory.domains.sorted() {
      try database.change("INSERT INTO domains VALUES (?)", .text(domain))
    }
    for (domain, keys) in directory.signingKeys where directory.domains.contains(domain) {
      for key in keys.values { try database.setSigningKey(key) }
    }
    for (id, state) in directory.accounts.sorted(by: { $0.key < $1.key }) {
      let account = state.account
      guard let domain = Domain(account.domain) else { continue }
      let address = EmailAddress(localPart: account.localPart, domain: domain)
      try database.change(
        """
        INSERT INTO accounts (id, local_part, domain, lookup_key, secrets, quota_bytes, quota_messages,
          last_uid_validity) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(id), .text(account.localPart), .text(account.domain), .text(address.lookupKey),
        .text(account.secrets), .integer(account.quotaBytes), .integer(account.quotaMessages),
        .integer(Int64(account.lastUIDValidity)))
      for (position, password) in state.passwords.enumerated() {
        try database.change(
          "INSERT INTO app_passwords (account, position, label, secrets, created) VALUES (?, ?, ?, ?, ?)",
          .integer(id), .integer(Int64(position)), .text(password.label), .text(password.secrets),
          .integer(password.created))
      }
      if let rules = state.rules { try database.setSendingRules(rules) }
      for name in (directory.subscriptions[id] ?? []).sorted() {
        try database.change("INSERT INTO subscriptions (account, name) VALUES (?, ?)", .integer(id), .text(name))
      }
    }
    for alias in directory.aliases.values { try database.setAlias(alias) }
    for mailbox in directory.mailboxes.values.sorted(by: { $0.id < $1.id }) {
      try database.change(
        """
        INSERT INTO mailboxes (id, account, name, special_use, selectable, uid_validity, uid_next, modseq, messages,
          unseen, deleted, size, first_recent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)
        """,
        .integer(mailbox.id), .integer(mailbox.account), .text(mailbox.name), .text(mailbox.specialUse),
        .integer(mailbox.isSelectable ? 1 : 0), .integer(Int64(mailbox.uidValidity)),
        .integer(Int64(mailbox.uidNext)), .integer(mailbox.modSequence),
        // The packs do not tell which messages a session has been told of as recent: none is told of twice.
        .integer(replay.firstRecent[mailbox.id] ?? Int64(mailbox.uidNext)))
    }
    try database.change("DELETE FROM entries WHERE mailbox NOT IN (SELECT id FROM mailboxes)")
    try database.change("DELETE FROM vanished WHERE mailbox NOT IN (SELECT id FROM mailboxes)")
    try database.change("DELETE FROM threads WHERE account NOT IN (SELECT id FROM accounts)")
    try database.change("DELETE FROM imports WHERE account NOT IN (SELECT id FROM accounts)")
    try database.change("DELETE FROM imported WHERE import NOT IN (SELECT id FROM imports)")
  }

  // MARK: What is lost

  private mutating func removeLost() throws(StoreError) {
    struct LostEntry {
      var mailbox: Int64
      var uid: UInt32
      var body: Int64?
    }
    var entries: [LostEntry] = []
    try database.each(
      """
      SELECT e.mailbox, e.uid, m.body FROM entries e LEFT JOIN messages m ON m.id = e.message
      LEFT JOIN bodies b ON b.id = m.body WHERE b.id IS NULL ORDER BY e.mailbox, e.uid
      """
    ) { row in
      entries.append(
        LostEntry(
          mailbox: row.integer(0), uid: UInt32(truncatingIfNeeded: row.integer(1)), body: row.optionalInteger(2)))
    }
    lostCount = Int64(entries.count { !isGone($0.body) })
    goneCount += Int64(entries.count) - lostCount
    if lostCount > 0 {
      // Where they came from they may still be: another import brings them.
      try database.change(
        """
        DELETE FROM imported WHERE (mailbox, uid) IN (
          SELECT e.mailbox, e.uid FROM entries e LEFT JOIN messages m ON m.id = e.message
          LEFT JOIN bodies b ON b.id = m.body WHERE b.id IS NULL)
        """)
    }
    var position = 0
    while position < entries.count {
      let mailbox = entries[position].mailbox
      guard let known = replay.directory.mailboxes[mailbox] else { break }
      let modSequence = known.modSequence + 1
      try database.change(
        "UPDATE mailboxes SET modseq = ? WHERE id = ?", .integer(modSequence), .integer(mailbox))
      while position < entries.count, entries[position].mailbox == mailbox {
        let entry = entries[position]
        var last = entry.uid
        while position < entries.count, entries[position].mailbox == mailbox,
          entries[position].uid == last || entries[position].uid == last + 1
        {
          last = entries[position].uid
          if !isGone(entries[position].body) { report(last, known, entries[position].body) }
          position += 1
        }
        try database.change(
          "DELETE FROM entries WHERE mailbox = ? AND uid BETWEEN ? AND ?", .integer(mailbox),
          .integer(Int64(entry.uid)), .integer(Int64(last)))
        try database.change(
          "INSERT INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)", .integer(mailbox),
          .integer(modSequence), .integer(Int64(entry.uid)), .integer(Int64(last)))
      }
    }
    try database.each(
      """
      SELECT body FROM messages m WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = m.body)
        AND orphaned_at IS NOT NULL
      """
    ) { if !isGone($0.integer(0)) { lostDeletedCount += 1 } }
    try database.change("DELETE FROM messages WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = messages.body)")
    try database.change(
      "DELETE FROM bodies WHERE id NOT IN (SELECT body FROM messages UNION SELECT body FROM queued_messages)")
    try database.change(
      """
      DELETE FROM deleted_entries WHERE account NOT IN (SELECT id FROM accounts)
        OR NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = message AND m.account = deleted_entries.account)
        OR EXISTS (SELECT 1 FROM entries e WHERE e.mailbox = deleted_entries.mailbox AND e.uid = deleted_entries.uid)
      """)
  }

  private func isGone(_ body: Int64?) -> Bool { body.map(replay.gone.contains) ?? false }

  private mutating func report(_ uid: UInt32, _ mailbox: RecordedMailbox, _ body: Int64?) {
    guard lost.count < RepairPlan.listLimit else { return }
    let reason = body.map { replay.lost[$0] ?? "no pack has its body" } ?? "no pack has the message"
    lost.append(
      RepairPlan.LostMessage(
        account: address(of: mailbox.account), mailbox: mailbox.name, uid: uid, reason: reason))
  }

  // MARK: The queue

  /// All that waits is tried anew. Where something may have been sent of which nothing tells, it waits for a person.
  private mutating func settleQueue() throws(StoreError) {
    var lost: Int64 = 0
    try database.each(
      "SELECT body FROM queued_messages m WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = m.body)"
    ) {
      if isGone($0.integer(0)) {
        goneCount += 1
      } else {
        lost += 1
      }
    }
    if lost > 0 { notes.append("queued messages whose bodies are lost, and which will not be sent: \(lost)") }
    try database.change(
      "DELETE FROM queued_messages WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.id = queued_messages.body)")
    try database.change("DELETE FROM queued_recipients WHERE message NOT IN (SELECT id FROM queued_messages)")
    try database.change("DELETE FROM queued_messages WHERE id NOT IN (SELECT message FROM queued_recipients)")
    if slack > 0 {
      try database.change("UPDATE queued_recipients SET state = 1 WHERE state = 0")
      let held = Int64(database.changedRows)
      if held > 0 {
        notes.append(
          "recipients of queued messages that may have been sent already, and are held: \(held) (martlet queue list)")
      }
    }
    try database.change("DELETE FROM queued_destinations")
    try database.change(
      """
      INSERT INTO queued_destinations (name, next_attempt, last_attempt, failures, result)
      SELECT destination, min(next_attempt), 0, 0, '' FROM queued_recipients WHERE state = 0 GROUP BY destination
      """)
  }

  // MARK: Counters

  /// How many entries each message has, and since when those have none that were deleted.
  private func countUses() throws(StoreError) {
    try database.change("CREATE TEMP TABLE uses (message INTEGER PRIMARY KEY, entries INTEGER NOT NULL)")
    try database.change("INSERT INTO uses SELECT message, count(*) FROM entries GROUP BY message")
    try database.change("UPDATE messages SET entries = 0 WHERE id NOT IN (SELECT message FROM uses)")
    try database.change(
      "UPDATE messages SET entries = u.entries, orphaned_at = NULL FROM uses u WHERE u.message = messages.id")
    try database.change("DROP TABLE uses")
    try database.change("CREATE TEMP TABLE removed (account INTEGER PRIMARY KEY, time INTEGER NOT NULL)")
    for (account, time) in replay.directory.removedAccounts where time > 0 {
      try database.change("INSERT INTO removed VALUES (?, ?)", .integer(account), .integer(time))
    }
    try database.change(
      """
      UPDATE messages SET orphaned_at = ifnull((SELECT time FROM removed r WHERE r.account = messages.account), ?)
      WHERE entries = 0 AND orphaned_at IS NULL
      """, .integer(now.microseconds))
    try database.change("DROP TABLE removed")
  }

  private func countMessages() throws(StoreError) {
    try database.countMessages()
    // A name that is only a parent has no messages.
    try database.change("UPDATE mailboxes SET selectable = 1 WHERE messages > 0")
  }
}
