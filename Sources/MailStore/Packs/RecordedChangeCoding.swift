import Bytes

/// A change is a byte for its kind, its length, and its fields in the order below.
extension RecordedChange {
  private enum Tag: UInt8 {
    case domain = 1
    case domainRemoved = 2
    case account = 3
    case accountRemoved = 4
    case appPasswords = 5
    case alias = 6
    case aliasRemoved = 7
    case subscribed = 8
    case unsubscribed = 9
    case mailbox = 10
    case mailboxRemoved = 11
    case entries = 12
    case removed = 13
    case expunged = 14
    case restored = 15
    case deletionsPurged = 16
    case messagesPurged = 17
    case queued = 18
    case unqueued = 19
    case queueState = 20
    case importOrigin = 24
    case imported = 25
    case signingKey = 26
    case signingKeyRemoved = 27
    case sendingRules = 28
    case directory = 32
    case mailboxes = 33
    case exactEntries = 34
    case vanished = 35
    case deleted = 36
    case baselineEnd = 37
    case deletedEntries = 38
  }

  func encode(into record: inout [UInt8]) {
    var fields: [UInt8] = []
    let tag = encodeFields(into: &fields)
    record.append(tag)
    record.appendCounted(fields)
  }

  private func encodeFields(into fields: inout [UInt8]) -> UInt8 {
    let tag: Tag
    switch self {
    case .domain(let name):
      tag = .domain
      fields.appendText(name)
    case .domainRemoved(let name):
      tag = .domainRemoved
      fields.appendText(name)
    case .account(let account):
      tag = .account
      fields.appendVariable(account.id)
      fields.appendText(account.localPart)
      fields.appendText(account.domain)
      fields.appendText(account.secrets)
      fields.appendOptional(account.quotaBytes) { $0.appendVariable($1) }
      fields.appendOptional(account.quotaMessages) { $0.appendVariable($1) }
      fields.appendVariable(UInt64(account.lastUIDValidity))
    case .accountRemoved(let id, let time):
      tag = .accountRemoved
      fields.appendVariable(id)
      fields.appendVariable(time)
    case .appPasswords(let account, let passwords):
      tag = .appPasswords
      fields.appendVariable(account)
      fields.appendList(passwords) {
        $0.appendText($1.label)
        $0.appendText($1.secrets)
        $0.appendVariable($1.created)
      }
    case .alias(let alias):
      tag = .alias
      fields.appendText(alias.pattern)
      fields.appendOptional(alias.localPart) { $0.appendText($1) }
      fields.appendText(alias.domain)
      fields.appendText(alias.targets)
      fields.appendText(alias.senders)
      fields.append(alias.membersMaySend ? 1 : 0)
    case .aliasRemoved(let pattern):
      tag = .aliasRemoved
      fields.appendText(pattern)
    case .subscribed(let account, let name):
      tag = .subscribed
      fields.appendVariable(account)
      fields.appendText(name)
    case .unsubscribed(let account, let name):
      tag = .unsubscribed
      fields.appendVariable(account)
      fields.appendText(name)
    case .mailbox(let mailbox):
      tag = .mailbox
      fields.appendVariable(mailbox.id)
      fields.appendVariable(mailbox.account)
      fields.appendText(mailbox.name)
      fields.appendOptional(mailbox.specialUse) { $0.appendText($1) }
      fields.append(mailbox.isSelectable ? 1 : 0)
      fields.appendVariable(UInt64(mailbox.uidValidity))
      fields.appendVariable(UInt64(mailbox.uidNext))
      fields.appendVariable(mailbox.modSequence)
    case .mailboxRemoved(let id):
      tag = .mailboxRemoved
      fields.appendVariable(id)
    case .entries(let mailbox, let entries):
      tag = .entries
      fields.appendVariable(mailbox)
      fields.appendEntries(entries)
    case .removed(let mailbox, let modSequence, let time, let runs):
      tag = .removed
      fields.appendVariable(mailbox)
      fields.appendVariable(modSequence)
      fields.appendVariable(time)
      fields.appendList(runs) { $0.appendRange($1) }
    case .expunged(let mailbox, let name, let modSequence, let time, let runs):
      tag = .expunged
      fields.appendVariable(mailbox)
      fields.appendText(name)
      fields.appendVariable(modSequence)
      fields.appendVariable(time)
      fields.appendList(runs) { $0.appendRange($1) }
    case .restored(let account, let keys):
      tag = .restored
      fields.appendVariable(account)
      fields.appendList(keys) { $0.appendKey($1) }
    case .deletionsPurged(let account, let key):
      tag = .deletionsPurged
      fields.appendVariable(account)
      fields.appendKey(key)
    case .messagesPurged(let messages):
      tag = .messagesPurged
      var last: Int64 = 0
      fields.appendList(messages) {
        $0.appendSigned($1 &- last)
        last = $1
      }
    case .queued(let message):
      tag = .queued
      message.encode(into: &fields)
    case .unqueued(let message, let positions):
      tag = .unqueued
      fields.appendVariable(message)
      fields.appendList(positions) { $0.appendVariable($1) }
    case .queueState(let message, let positions, let state, let result):
      tag = .queueState
      fields.appendVariable(message)
      fields.appendList(positions) { $0.appendVariable($1) }
      fields.append(state)
      fields.appendText(result)
    case .importOrigin(let origin):
      tag = .importOrigin
      fields.appendVariable(origin.id)
      fields.appendVariable(origin.account)
      fields.appendText(origin.origin)
      fields.appendVariable(origin.mailbox)
      fields.appendText(origin.name)
      fields.appendOptional(origin.uidValidity) { $0.appendVariable(UInt64($1)) }
      fields.appendVariable(UInt64(origin.uidNext))
    case .imported(let id, let messages):
      tag = .imported
      fields.appendVariable(id)
      var last = RecordedImportedMessage(key: [], mailbox: 0, uid: 0, flags: 0, keywords: "")
      fields.appendList(messages) { fields, message in
        fields.appendCounted(message.key)
        fields.appendSigned(message.mailbox &- last.mailbox)
        fields.appendSigned(Int64(message.uid) - Int64(last.uid))
        fields.append(message.flags)
        fields.appendText(message.keywords)
        last = message
      }
    case .signingKey(let key):
      tag = .signingKey
      fields.appendText(key.domain)
      fields.appendText(key.selector)
      fields.appendText(key.algorithm)
      fields.appendCounted(key.privateKey)
      fields.appendVariable(key.made)
      fields.appendText(key.stage)
      fields.appendVariable(key.nextCheck)
    case .signingKeyRemoved(let domain, let selector):
      tag = .signingKeyRemoved
      fields.appendText(domain)
      fields.appendText(selector)
    case .sendingRules(let rules):
      tag = .sendingRules
      fields.appendVariable(rules.account)
      fields.appendText(rules.sendAs)
      fields.appendText(rules.limits)
    case .directory(let domains, let accounts, let aliases):
      tag = .directory
      fields.appendList(domains) { $0.appendText($1) }
      fields.appendList(accounts) { $0.appendVariable($1) }
      fields.appendList(aliases) { $0.appendText($1) }
    case .mailboxes(let account, let mailboxes, let subscriptions):
      tag = .mailboxes
      fields.appendVariable(account)
      fields.appendList(mailboxes) { $0.appendVariable($1) }
      fields.appendList(subscriptions) { $0.appendText($1) }
    case .exactEntries(let mailbox, let range, let entries):
      tag = .exactEntries
      fields.appendVariable(mailbox)
      fields.appendRange(range)
      fields.appendEntries(entries)
    case .vanished(let mailbox, let runs):
      tag = .vanished
      fields.appendVariable(mailbox)
      fields.appendList(runs) {
        $0.appendVariable($1.modSequence)
        $0.appendRange($1.uids)
      }
    case .deleted(let deletions):
      tag = .deleted
      fields.appendList(deletions) {
        $0.appendVariable($1.message)
        $0.appendVariable($1.time)
      }
    case .deletedEntries(let account, let entries):
      tag = .deletedEntries
      fields.appendVariable(account)
      fields.appendList(entries) {
        $0.appendKey($1.key)
        $0.appendText($1.name)
        $0.appendVariable($1.message)
        $0.append($1.flags)
        $0.appendText($1.keywords)
      }
    case .baselineEnd(let start):
      tag = .baselineEnd
      fields.appendVariable(start.segment)
      fields.appendVariable(start.offset)
    case .unknown(let tag):
      return tag
    }
    return tag.rawValue
  }

  init?(decoding cursor: inout ByteCursor) {
    guard let tag = cursor.next(), let fields = cursor.nextCounted() else { return nil }
    guard let known = Tag(rawValue: tag) else {
      self = .unknown(tag)
      return
    }
    var fieldCursor = ByteCursor(fields)
    guard let change = Self.decode(known, &fieldCursor), fieldCursor.isAtEnd else { return nil }
    self = change
  }

  private static func decode(_ tag: Tag, _ fields: inout ByteCursor) -> RecordedChange? {
    switch tag {
    case .domain: return fields.nextText().map { .domain($0) }
    case .domainRemoved: return fields.nextText().map { .domainRemoved($0) }
    case .account:
      guard let id = fields.nextID(), let localPart = fields.nextText(), let domain = fields.nextText(),
        let secrets = fields.nextText(), let bytes = fields.nextOptional({ $0.nextID() }),
        let messages = fields.nextOptional({ $0.nextID() }), let validity = fields.nextNumber()
      else { return nil }
      return .account(
        RecordedAccount(
          id: id, localPart: localPart, domain: domain, secrets: secrets, quotaBytes: bytes, quotaMessages: messages,
          lastUIDValidity: validity))
    case .accountRemoved:
      guard let id = fields.nextID(), let time = fields.nextID() else { return nil }
      return .accountRemoved(id, at: time)
    case .appPasswords:
      guard let account = fields.nextID(),
        let passwords = fields.nextList({ fields -> RecordedPassword? in
          guard let label = fields.nextText(), let secrets = fields.nextText(), let created = fields.nextID()
          else { return nil }
          return RecordedPassword(label: label, secrets: secrets, created: created)
        })
      else { return nil }
      return .appPasswords(account: account, passwords)
    case .alias:
      guard let pattern = fields.nextText(), let localPart = fields.nextOptional({ $0.nextText() }),
        let domain = fields.nextText(), let targets = fields.nextText()
      else { return nil }
      var alias = RecordedAlias(
        pattern: pattern, localPart: localPart, domain: domain, targets: targets, senders: Alias.Senders.anyone.encoded,
        membersMaySend: false)
      // Older ones have no more.
      if !fields.isAtEnd {
        guard let senders = fields.nextText(), let membersMaySend = fields.next() else { return nil }
        alias.senders = senders
        alias.membersMaySend = membersMaySend != 0
      }
      return .alias(alias)
    case .aliasRemoved: return fields.nextText().map { .aliasRemoved(pattern: $0) }
    case .subscribed:
      guard let account = fields.nextID(), let name = fields.nextText() else { return nil }
      return .subscribed(account: account, name: name)
    case .unsubscribed:
      guard let account = fields.nextID(), let name = fields.nextText() else { return nil }
      return .unsubscribed(account: account, name: name)
    case .mailbox:
      guard let id = fields.nextID(), let account = fields.nextID(), let name = fields.nextText(),
        let use = fields.nextOptional({ $0.nextText() }), let isSelectable = fields.next(),
        let validity = fields.nextNumber(), let next = fields.nextNumber(), let modSequence = fields.nextID()
      else { return nil }
      return .mailbox(
        RecordedMailbox(
          id: id, account: account, name: name, specialUse: use, isSelectable: isSelectable != 0,
          uidValidity: validity, uidNext: next, modSequence: modSequence))
    case .mailboxRemoved: return fields.nextID().map { .mailboxRemoved($0) }
    case .entries:
      guard let mailbox = fields.nextID(), let entries = fields.nextEntries() else { return nil }
      return .entries(mailbox: mailbox, entries)
    case .removed:
      guard let mailbox = fields.nextID(), let modSequence = fields.nextID(), let time = fields.nextID(),
        let runs = fields.nextList({ $0.nextRange() })
      else { return nil }
      return .removed(mailbox: mailbox, modSequence: modSequence, at: time, runs)
    case .expunged:
      guard let mailbox = fields.nextID(), let name = fields.nextText(), let modSequence = fields.nextID(),
        let time = fields.nextID(), let runs = fields.nextList({ $0.nextRange() })
      else { return nil }
      return .expunged(mailbox: mailbox, name: name, modSequence: modSequence, at: time, runs)
    case .restored:
      guard let account = fields.nextID(), let keys = fields.nextList({ $0.nextKey() }) else { return nil }
      return .restored(account: account, keys)
    case .deletionsPurged:
      guard let account = fields.nextID(), let key = fields.nextKey() else { return nil }
      return .deletionsPurged(account: account, upTo: key)
    case .messagesPurged:
      var last: Int64 = 0
      return fields.nextList { fields -> Int64? in
        guard let step = fields.nextSigned() else { return nil }
        last = last &+ step
        return last
      }.map { .messagesPurged($0) }
    case .queued: return RecordedQueuedMessage(decoding: &fields).map { .queued($0) }
    case .unqueued:
      guard let message = fields.nextID(), let positions = fields.nextList({ $0.nextID() }) else { return nil }
      return .unqueued(message: message, positions: positions)
    case .queueState:
      guard let message = fields.nextID(), let positions = fields.nextList({ $0.nextID() }),
        let state = fields.next(), let result = fields.nextText()
      else { return nil }
      return .queueState(message: message, positions: positions, state: state, result: result)
    case .importOrigin:
      guard let id = fields.nextID(), let account = fields.nextID(), let origin = fields.nextText(),
        let mailbox = fields.nextID(), let name = fields.nextText(),
        let validity = fields.nextOptional({ $0.nextNumber() }), let next = fields.nextNumber()
      else { return nil }
      return .importOrigin(
        RecordedImport(
          id: id, account: account, origin: origin, mailbox: mailbox, name: name, uidValidity: validity, uidNext: next))
    case .imported:
      var last: (mailbox: Int64, uid: Int64) = (0, 0)
      guard let id = fields.nextID(),
        let messages = fields.nextList({ fields -> RecordedImportedMessage? in
          guard let key = fields.nextCounted(), let mailbox = fields.nextSigned(), let step = fields.nextSigned(),
            let flags = fields.next(), let keywords = fields.nextText(),
            let uid = UInt32(exactly: last.uid &+ step)
          else { return nil }
          last = (last.mailbox &+ mailbox, Int64(uid))
          return RecordedImportedMessage(
            key: Array(key), mailbox: last.mailbox, uid: uid, flags: flags, keywords: keywords)
        })
      else { return nil }
      return .imported(import: id, messages)
    case .signingKey:
      guard let domain = fields.nextText(), let selector = fields.nextText(), let algorithm = fields.nextText(),
        let key = fields.nextCounted(), let made = fields.nextID(), let stage = fields.nextText(),
        let check = fields.nextID()
      else { return nil }
      return .signingKey(
        RecordedSigningKey(
          domain: domain, selector: selector, algorithm: algorithm, privateKey: Array(key), made: made, stage: stage,
          nextCheck: check))
    case .signingKeyRemoved:
      guard let domain = fields.nextText(), let selector = fields.nextText() else { return nil }
      return .signingKeyRemoved(domain: domain, selector: selector)
    case .sendingRules:
      guard let account = fields.nextID(), let sendAs = fields.nextText(), let limits = fields.nextText()
      else { return nil }
      return .sendingRules(RecordedSendingRules(account: account, sendAs: sendAs, limits: limits))
    case .directory:
      guard let domains = fields.nextList({ $0.nextText() }), let accounts = fields.nextList({ $0.nextID() }),
        let aliases = fields.nextList({ $0.nextText() })
      else { return nil }
      return .directory(domains: domains, accounts: accounts, aliases: aliases)
    case .mailboxes:
      guard let account = fields.nextID(), let mailboxes = fields.nextList({ $0.nextID() }),
        let subscriptions = fields.nextList({ $0.nextText() })
      else { return nil }
      return .mailboxes(account: account, mailboxes, subscriptions: subscriptions)
    case .exactEntries:
      guard let mailbox = fields.nextID(), let range = fields.nextRange(), let entries = fields.nextEntries(),
        entries.allSatisfy({ range.contains($0.uid) })
      else { return nil }
      return .exactEntries(mailbox: mailbox, range, entries)
    case .vanished:
      guard let mailbox = fields.nextID(),
        let runs = fields.nextList({ fields -> RecordedRun? in
          guard let modSequence = fields.nextID(), let uids = fields.nextRange() else { return nil }
          return RecordedRun(modSequence: modSequence, uids: uids)
        })
      else { return nil }
      return .vanished(mailbox: mailbox, runs)
    case .deleted:
      return fields.nextList { fields -> RecordedDeletion? in
        guard let message = fields.nextID(), let time = fields.nextID() else { return nil }
        return RecordedDeletion(message: message, time: time)
      }.map { .deleted($0) }
    case .deletedEntries:
      guard let account = fields.nextID(),
        let entries = fields.nextList({ fields -> RecordedDeletedEntry? in
          guard let key = fields.nextKey(), let name = fields.nextText(), let message = fields.nextID(),
            let flags = fields.next(), let keywords = fields.nextText()
          else { return nil }
          return RecordedDeletedEntry(key: key, name: name, message: message, flags: flags, keywords: keywords)
        })
      else { return nil }
      return .deletedEntries(account: account, entries)
    case .baselineEnd:
      guard let segment = fields.nextID(), let offset = fields.nextID() else { return nil }
      return .baselineEnd(PackPosition(segment: segment, offset: offset))
    }
  }
}

extension RecordedQueuedMessage {
  fileprivate func encode(into fields: inout [UInt8]) {
    fields.appendVariable(id)
    fields.appendVariable(body)
    fields.appendCounted(prefix)
    fields.appendVariable(created)
    fields.appendVariable(expires)
    fields.appendOptional(warns) { $0.appendVariable($1) }
    fields.appendVariable(notBefore)
    fields.appendVariable(account)
    fields.appendText(sender)
    fields.appendText(parameters)
    fields.appendList(recipients) {
      $0.appendVariable($1.position)
      $0.appendText($1.address)
      $0.appendText($1.destination)
      $0.appendText($1.parameters)
      $0.append($1.state)
      $0.appendText($1.result)
    }
    // Behind the rest and only where there is one: packs from before priorities end here, too.
    if priority != 0 { fields.appendSigned(priority) }
  }

  fileprivate init?(decoding fields: inout ByteCursor) {
    guard let id = fields.nextID(), let body = fields.nextID(), let prefix = fields.nextCounted(),
      let created = fields.nextID(), let expires = fields.nextID(), let warns = fields.nextOptional({ $0.nextID() }),
      let notBefore = fields.nextID(), let account = fields.nextID(), let sender = fields.nextText(),
      let parameters = fields.nextText(),
      let recipients = fields.nextList({ fields -> Recipient? in
        guard let position = fields.nextID(), let address = fields.nextText(), let destination = fields.nextText(),
          let parameters = fields.nextText(), let state = fields.next(), let result = fields.nextText()
        else { return nil }
        return Recipient(
          position: position, address: address, destination: destination, parameters: parameters, state: state,
          result: result)
      }), let priority = fields.isAtEnd ? 0 : fields.nextSigned()
    else { return nil }
    self.init(
      id: id, body: body, prefix: Array(prefix), created: created, expires: expires, warns: warns,
      notBefore: notBefore, account: account, sender: sender, parameters: parameters, priority: priority,
      recipients: recipients)
  }
}

extension Array where Element == UInt8 {
  /// First, and how many more.
  fileprivate mutating func appendRange(_ range: ClosedRange<UInt32>) {
    appendVariable(UInt64(range.lowerBound))
    appendVariable(UInt64(range.upperBound - range.lowerBound))
  }

  fileprivate mutating func appendKey(_ key: RecordedDeletionKey) {
    appendVariable(key.time)
    appendVariable(key.mailbox)
    appendVariable(UInt64(key.uid))
  }

  /// Each as its difference from the one before: neighbours have much in common.
  fileprivate mutating func appendEntries(_ entries: [RecordedEntry]) {
    var last = RecordedEntry(uid: 0, message: 0, flags: 0, keywords: "", modSequence: 0, saved: 0)
    appendList(entries) { fields, entry in
      fields.appendVariable(UInt64(entry.uid &- last.uid))
      fields.appendSigned(entry.message &- last.message)
      fields.append(entry.flags)
      fields.appendText(entry.keywords)
      fields.appendSigned(entry.modSequence &- last.modSequence)
      fields.appendSigned(entry.saved &- last.saved)
      last = entry
    }
  }
}

extension ByteCursor {
  fileprivate mutating func nextRange() -> ClosedRange<UInt32>? {
    guard let first = nextNumber(), let more = nextNumber() else { return nil }
    let (last, overflow) = first.addingReportingOverflow(more)
    return overflow ? nil : first...last
  }

  fileprivate mutating func nextKey() -> RecordedDeletionKey? {
    guard let time = nextID(), let mailbox = nextID(), let uid = nextNumber() else { return nil }
    return RecordedDeletionKey(time: time, mailbox: mailbox, uid: uid)
  }

  fileprivate mutating func nextEntries() -> [RecordedEntry]? {
    var last = RecordedEntry(uid: 0, message: 0, flags: 0, keywords: "", modSequence: 0, saved: 0)
    return nextList { fields -> RecordedEntry? in
      guard let uid = fields.nextNumber(), let message = fields.nextSigned(), let flags = fields.next(),
        let keywords = fields.nextText(), let modSequence = fields.nextSigned(), let saved = fields.nextSigned()
      else { return nil }
      last = RecordedEntry(
        uid: last.uid &+ uid, message: last.message &+ message, flags: flags, keywords: keywords,
        modSequence: last.modSequence &+ modSequence, saved: last.saved &+ saved)
      return last
    }
  }
}
