import MessageFormat
import SQLite

/// Accounts with their mailboxes and entries, each account on one state of the database.
extension StoreVerifier {
  mutating func checkAccounts() throws(StoreError) {
    var accounts: [AccountID] = []
    try reading { (database) throws(StoreError) in
      try database.each("SELECT id FROM accounts ORDER BY id") { accounts.append(AccountID(rawValue: $0.integer(0))) }
    }
    for (number, id) in accounts.enumerated() {
      show("checking accounts", Int64(number), of: Int64(accounts.count), .steps)
      var seen: [Int64] = []
      var mailboxes: Int64 = 0
      let lost = lostMessages
      let reasons = lostBodies
      try confirm { (database) throws(StoreError) in
        var check = AccountCheck(database: database, lostMessages: lost, lostBodies: reasons)
        try check.run(id)
        seen = check.messages.map(\.id)
        mailboxes = check.mailboxes
        return check.findings
      }
      for message in seen { seenMessages.insert(message) }
      report.accounts += 1
      report.mailboxes += mailboxes
      report.messages += Int64(seen.count)
    }
    try checkStrayEntries()
  }

  /// Entries and runs of mailboxes that are not there, found by stepping from mailbox to mailbox.
  private mutating func checkStrayEntries() throws(StoreError) {
    for sql: StaticString in [
      "SELECT min(mailbox) FROM entries WHERE mailbox > ?", "SELECT min(mailbox) FROM vanished WHERE mailbox > ?",
    ] {
      var last: Int64 = .min
      while true {
        let (next, isThere) = try reading { (database) throws(StoreError) in
          let next = try database.one(sql, .integer(last)) { $0.optionalInteger(0) }
          guard case .some(let id?) = next else { return (Int64?.none, true) }
          return (id, try database.mailbox(MailboxID(rawValue: id)) != nil)
        }
        guard let next else { break }
        last = next
        if !isThere { report.add(.entry, "mailbox \(next)", "it is not there, and has entries or expunged UIDs") }
      }
    }
  }
}

/// One account.
private struct AccountCheck {
  let database: Database
  let lostMessages: [Int64: Int64]
  let lostBodies: [Int64: String]
  var findings: [StoreFinding] = []
  var mailboxes: Int64 = 0
  /// Of all entries, with what the message says of its entries.
  var messages: [(id: Int64, entries: Int64)] = []
  private var address = ""

  init(database: Database, lostMessages: [Int64: Int64], lostBodies: [Int64: String]) {
    self.database = database
    self.lostMessages = lostMessages
    self.lostBodies = lostBodies
  }

  private mutating func find(_ kind: StoreFinding.Kind, _ subject: String, _ text: String) {
    findings.append(StoreFinding(kind: kind, subject: subject, text: text))
  }

  mutating func run(_ id: AccountID) throws(StoreError) {
    let account = try database.one(
      """
      SELECT local_part, domain, lookup_key, last_uid_validity, quota_bytes, quota_messages FROM accounts WHERE id = ?
      """, .integer(id.rawValue)
    ) { row in
      (
        localPart: row.text(0), domain: row.text(1), key: row.text(2), lastValidity: row.integer(3),
        isQuotaSound: row.integer(4) >= 0 && row.integer(5) >= 0
      )
    }
    // Removed since.
    guard let account else { return }
    address = "\(account.localPart)@\(account.domain)"
    guard let domain = Domain(account.domain),
      EmailAddress(localPart: account.localPart, domain: domain).lookupKey == account.key
    else { return find(.account, address, "it is not found by its address") }
    if !account.isQuotaSound { find(.account, address, "its quota is below zero") }

    let mailboxes = try database.mailboxes(of: id)
    let names = Set(mailboxes.map(\.name))
    if !names.contains(.inbox) { find(.account, address, "it has no INBOX") }
    for mailbox in mailboxes {
      self.mailboxes += 1
      check(mailbox, names, lastValidity: account.lastValidity)
      try checkEntries(of: mailbox)
    }
    checkUses()
  }

  private mutating func check(_ mailbox: Mailbox, _ names: Set<MailboxName>, lastValidity: Int64) {
    let subject = subject(mailbox)
    if MailboxName(mailbox.name.text) != mailbox.name { find(.mailbox, subject, "its name is not one") }
    if let parent = mailbox.name.parent, !names.contains(parent) { find(.mailbox, subject, "its parent is not there") }
    if mailbox.uidValidity.rawValue == 0 { find(.mailbox, subject, "its UIDVALIDITY is 0") }
    if Int64(mailbox.uidValidity.rawValue) > lastValidity {
      find(.mailbox, subject, "its UIDVALIDITY may be given to another mailbox")
    }
    if mailbox.firstRecent > mailbox.uidNext { find(.mailbox, subject, "messages beyond UIDNEXT are recent") }
    if !mailbox.isSelectable, mailbox.messageCount > 0 || mailbox.specialUse != nil {
      find(.mailbox, subject, "it is only a name, and has messages or a use")
    }
  }

  private func subject(_ mailbox: Mailbox) -> String { "\(address) \(mailbox.name)" }

  private mutating func checkEntries(of mailbox: Mailbox) throws(StoreError) {
    var counted = mailbox
    (counted.messageCount, counted.unseenCount, counted.deletedCount, counted.size) = (0, 0, 0, 0)
    var uids: [UInt32] = []
    var wrong: [(uid: Int64, kind: StoreFinding.Kind, text: String)] = []
    try database.each(
      """
      SELECT e.uid, e.flags, e.modseq, e.message, m.size, m.account, m.entries FROM entries e
      LEFT JOIN messages m ON m.id = e.message WHERE e.mailbox = ? ORDER BY e.uid
      """, .integer(mailbox.id.rawValue)
    ) { row in
      let (uid, message) = (row.integer(0), row.integer(3))
      func find(_ text: String, _ kind: StoreFinding.Kind = .entry) { wrong.append((uid, kind, text)) }
      if uid < 1 || uid >= Int64(mailbox.uidNext.rawValue) {
        find("it is not below UIDNEXT \(mailbox.uidNext.rawValue)")
      }
      if row.integer(2) < 1 || row.integer(2) > mailbox.highestModSequence.rawValue {
        find("its mod-sequence \(row.integer(2)) is above HIGHESTMODSEQ \(mailbox.highestModSequence.rawValue)")
      }
      if row.integer(1) & ~31 != 0 { find("its flags are not flags") }
      uids.append(UInt32(truncatingIfNeeded: uid))
      counted.count(SystemFlags(rawValue: UInt8(truncatingIfNeeded: row.integer(1))), size: row.integer(4), by: 1)
      guard !row.isNull(4) else { return find("its message \(message) is not there") }
      if row.integer(5) != mailbox.account.rawValue { find("its message is of another account") }
      messages.append((message, row.integer(6)))
      if let body = lostMessages[message] { find(lostBodies[body] ?? "its body is lost", .bodyLost) }
    }
    let subject = subject(mailbox)
    for (uid, kind, text) in wrong { find(kind, "\(subject) UID \(uid)", text) }
    for (name, has, found) in [
      ("messages", Int64(mailbox.messageCount), Int64(counted.messageCount)),
      ("unseen messages", Int64(mailbox.unseenCount), Int64(counted.unseenCount)),
      ("deleted messages", Int64(mailbox.deletedCount), Int64(counted.deletedCount)),
      ("octets", mailbox.size, counted.size),
    ] where has != found {
      find(.mailboxCounters, subject, "it says it has \(has) \(name), and has \(found)")
    }
    try checkVanished(of: mailbox, uids)
  }

  private mutating func checkVanished(of mailbox: Mailbox, _ uids: [UInt32]) throws(StoreError) {
    var runs: [RecordedRun] = []
    var isSound = true
    try database.each(
      "SELECT modseq, first, last FROM vanished WHERE mailbox = ? ORDER BY first", .integer(mailbox.id.rawValue)
    ) { row in
      if row.integer(1) < 1 || row.integer(2) < row.integer(1) || row.integer(2) >= Int64(mailbox.uidNext.rawValue)
        || row.integer(0) < 1 || row.integer(0) > mailbox.highestModSequence.rawValue
      {
        isSound = false
      }
      runs.append(RecordedRun(row))
    }
    let subject = subject(mailbox)
    if !isSound { find(.vanished, subject, "UIDs or mod-sequences are noted as expunged that were never given") }
    var position = 0
    var last: UInt32 = 0
    for run in runs {
      if run.uids.lowerBound <= last { find(.vanished, subject, "UID \(run.uids.lowerBound) is expunged twice") }
      last = max(last, run.uids.upperBound)
      while position < uids.count, uids[position] < run.uids.lowerBound { position += 1 }
      if position < uids.count, run.uids.contains(uids[position]) {
        find(.vanished, subject, "UID \(uids[position]) is expunged, and there")
      }
    }
  }

  /// That each message says rightly in how many mailboxes it is.
  private mutating func checkUses() {
    messages.sort { $0.id < $1.id }
    var position = 0
    while position < messages.count {
      let message = messages[position]
      var end = position
      while end < messages.count, messages[end].id == message.id { end += 1 }
      if Int64(end - position) != message.entries {
        find(
          .message, "message \(message.id)",
          "it says it is in \(message.entries) mailboxes of \(address), and is in \(end - position)")
      }
      position = end
    }
  }
}
