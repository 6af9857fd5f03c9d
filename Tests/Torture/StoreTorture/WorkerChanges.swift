import MailStore
import MessageFormat

/// The changes a worker makes.
extension Worker {
  typealias Change = (MailStore) async throws(StoreError) -> Holdings

  /// A change, and what there will be after it, as far as that is known before.
  mutating func nextChange(_ accounts: [AccountID]) -> (Holdings, Change?) {
    let mustShrink = holdings.messages.count > Self.messageLimit
    switch Int.random(in: 0..<26, using: &random) {
    case 0..<4 where !mustShrink: return deliver(accounts)
    case 4..<7 where !mustShrink: return append(accounts)
    case 7..<11: return changeFlags()
    case 11..<13 where !mustShrink: return transfer(moves: false)
    case 13..<15: return transfer(moves: true)
    case 15..<17: return changeFolders(accounts)
    case 17: return changeAliases()
    case 18 where !mustShrink: return restore()
    case 19..<22 where !mustShrink && holdings.queued.count < Self.queueLimit: return enqueue(accounts)
    case 19..<24: return attempt(accounts)
    case 24: return handleQueue()
    default: return expunge()
    }
  }

  mutating func newMessage() -> String {
    made += 1
    // A few go to files of their own, a few through the spool.
    let size = random.oneIn(8) ? Int.random(in: 7_000...30_000, using: &random) : random.spread(upTo: 6_000) + 80
    return "w\(number).\(made).\(size)"
  }

  func staged(_ name: String, in store: MailStore) async throws(StoreError) -> StagedBody {
    let text = TortureMessage.text(name)
    let stage = store.stageBody(expectedSize: nil)
    try await stage.append(text)
    return try await stage.finish()
  }

  private mutating func deliver(_ accounts: [AccountID]) -> (Holdings, Change?) {
    let name = newMessage()
    let count = random.oneIn(4) ? accounts.count : Int.random(in: 1...min(2, accounts.count), using: &random)
    let recipients = accounts.shuffled(using: &random).prefix(count)
    // A mailbox that is not there is made.
    let newFolder = random.oneIn(10) && holdings.folders.count < Self.folderLimit ? folderName() : nil
    let mailbox = MailboxName(newFolder ?? "INBOX") ?? .inbox
    let date = Self.date
    // Of places in mailboxes that are not known before, no more can be foreseen than that there will be some.
    let before = holdings
    func after(_ results: [AppendResult?]) -> Holdings {
      var holdings = before
      for (account, result) in zip(recipients, results) {
        let message = Holdings.Message(account: account, name: name)
        let place = Holdings.Place(mailbox: result?.mailbox, uid: result?.uids.first, flags: .init())
        holdings.setPlaces([place], of: message)
        if let newFolder { holdings.folders[.init(account: account, name: newFolder)] = .some(result?.mailbox) }
      }
      return holdings
    }
    let worker = self
    let intended = after(recipients.map { _ in nil })
    return (
      intended,
      { (store) throws(StoreError) in
        let body = try await worker.staged(name, in: store)
        let deliveries = recipients.map { LocalDelivery(account: $0, mailbox: mailbox, prefix: TortureMessage.prefix) }
        var results: [AppendResult?] = []
        for result in await store.deliver(body, to: deliveries, internalDate: date) { results.append(try result.get()) }
        return after(results)
      }
    )
  }

  private mutating func append(_ accounts: [AccountID]) -> (Holdings, Change?) {
    guard let account = accounts.randomElement(using: &random) else { return (holdings, nil) }
    let count = random.oneIn(3) ? 3 : 1
    let names = (0..<count).map { _ in newMessage() }
    let flags = randomFlags()
    let own = holdings.folders.keys.filter { $0.account == account }.map(\.name).sorted()
    let mailbox = MailboxName((["INBOX", "Archive"] + own).randomElement(using: &random) ?? "INBOX") ?? .inbox
    let before = holdings
    func after(_ result: AppendResult?) -> Holdings {
      var holdings = before
      for (position, name) in names.enumerated() {
        let place = Holdings.Place(mailbox: result?.mailbox, uid: result?.uids[position], flags: flags)
        holdings.setPlaces([place], of: .init(account: account, name: name))
      }
      return holdings
    }
    let worker = self
    return (
      after(nil),
      { (store) throws(StoreError) in
        var messages: [NewMessage] = []
        for name in names {
          messages.append(
            NewMessage(body: try await worker.staged(name, in: store), flags: flags, internalDate: Self.date))
        }
        return after(try await store.append(messages, to: mailbox, of: account))
      }
    )
  }

  /// Some of the worker's messages in one mailbox.
  private mutating func chosen() -> (mailbox: MailboxID, account: AccountID, messages: [UID: Holdings.Message])? {
    let places = holdings.messages.flatMap { message, places in places.map { (message, $0) } }
      .sorted {
        ($0.1.mailbox?.rawValue ?? 0, $0.1.uid?.rawValue ?? 0) < ($1.1.mailbox?.rawValue ?? 0, $1.1.uid?.rawValue ?? 0)
      }
    guard let (first, place) = places.randomElement(using: &random), let mailbox = place.mailbox else { return nil }
    var messages: [UID: Holdings.Message] = [:]
    let all = random.oneIn(4)
    for (message, other) in places where other.mailbox == mailbox {
      if let uid = other.uid, all || other == place || random.oneIn(6) { messages[uid] = message }
    }
    return (mailbox, first.account, messages)
  }

  private mutating func changeFlags() -> (Holdings, Change?) {
    guard let (mailbox, _, messages) = chosen() else { return (holdings, nil) }
    let flags = randomFlags()
    let change: FlagChange =
      [.add(flags), .remove(flags), .replace(flags)].randomElement(using: &random) ?? .add(flags)
    var after = holdings
    for (uid, message) in messages {
      after.messages[message] = after.messages[message]?.map { place in
        guard place.mailbox == mailbox, place.uid == uid else { return place }
        var place = place
        place.flags = place.flags.after(change)
        return place
      }
    }
    let intended = after
    return (
      intended,
      { (store) throws(StoreError) in
        _ = try await store.changeFlags(in: mailbox, uids: messages.keys.sorted(), change, unchangedSince: nil)
        return intended
      }
    )
  }

  private mutating func transfer(moves: Bool) -> (Holdings, Change?) {
    guard let (source, account, messages) = chosen() else { return (holdings, nil) }
    let own = holdings.folders.filter { $0.key.account == account && $0.value != source }.map(\.key.name).sorted()
    // Whatever the source is, one of them is another.
    guard let name = (["Trash", "Drafts"] + own).randomElement(using: &random), let destination = MailboxName(name)
    else {
      return (holdings, nil)
    }
    let uids = messages.keys.sorted()
    let before = holdings
    func after(_ target: MailboxID?, _ given: [UID: UID]) -> Holdings {
      var holdings = before
      for (uid, message) in messages {
        var places = holdings.messages[message] ?? []
        guard let old = places.firstIndex(where: { $0.mailbox == source && $0.uid == uid }) else { continue }
        let place = Holdings.Place(mailbox: target, uid: given[uid], flags: places[old].flags)
        if moves { places.remove(at: old) }
        holdings.setPlaces(places + [place], of: message)
      }
      return holdings
    }
    return (
      after(nil, [:]),
      { (store) throws(StoreError) in
        let result =
          if moves {
            try await store.move(uids, from: source, to: destination, of: account)
          } else {
            try await store.copy(uids, from: source, to: destination, of: account)
          }
        let target = try await store.mailbox(named: destination, of: account)?.id
        return after(target, Dictionary(uniqueKeysWithValues: zip(result.source, result.destination)))
      }
    )
  }

  private mutating func expunge() -> (Holdings, Change?) {
    guard let (mailbox, _, messages) = chosen() else { return (holdings, nil) }
    let onlyDeleted = random.oneIn(3)
    var after = holdings
    for (uid, message) in messages {
      after.expunge(message) {
        $0.mailbox == mailbox && $0.uid == uid && (!onlyDeleted || $0.flags.system.contains(.deleted))
      }
    }
    let intended = after
    return (
      intended,
      { (store) throws(StoreError) in
        _ = try await store.expunge(in: mailbox, uids: messages.keys.sorted(), onlyDeleted: onlyDeleted)
        return intended
      }
    )
  }

  private mutating func restore() -> (Holdings, Change?) {
    let known = holdings.deleted.sorted {
      ($0.key.mailbox.rawValue, $0.key.uid.rawValue) < ($1.key.mailbox.rawValue, $1.key.uid.rawValue)
    }
    guard !mayBePurged, let (id, lost) = known.randomElement(using: &random) else { return (holdings, nil) }
    let account = lost.message.account
    let before = holdings
    func after(_ result: RestoredMessage?) -> Holdings {
      var holdings = before
      holdings.deleted[id] = nil
      let flags = MessageFlags(lost.flags.system.subtracting(.deleted), keywords: lost.flags.keywords)
      let place = Holdings.Place(mailbox: result?.id.mailbox, uid: result?.id.uid, flags: flags)
      holdings.setPlaces((holdings.messages[lost.message] ?? []) + [place], of: lost.message)
      return holdings
    }
    return (
      after(nil),
      { (store) throws(StoreError) in
        after(try await store.restore(.messages([id]), of: account, into: MailboxName("Archive")).first)
      }
    )
  }

  private mutating func folderName() -> String {
    made += 1
    return "w\(number)-\(made)"
  }

  private mutating func changeFolders(_ accounts: [AccountID]) -> (Holdings, Change?) {
    let name = folderName()
    var after = holdings
    let known = holdings.folders.sorted { $0.key.name < $1.key.name }.randomElement(using: &random)
    if let known, let id = known.value, random.oneIn(2) || holdings.folders.count >= Self.folderLimit {
      let account = known.key.account
      guard let old = MailboxName(known.key.name), let new = MailboxName(name) else { return (holdings, nil) }
      after.folders[known.key] = nil
      if random.oneIn(2) {
        after.folders[.init(account: account, name: name)] = .some(id)
        let intended = after
        return (
          intended,
          { (store) throws(StoreError) in
            try await store.renameMailbox(old, to: new, of: account)
            return intended
          }
        )
      }
      for message in holdings.messages.keys { after.expunge(message) { $0.mailbox == id } }
      let intended = after
      return (
        intended,
        { (store) throws(StoreError) in
          try await store.deleteMailbox(old, of: account)
          return intended
        }
      )
    }
    guard let account = accounts.randomElement(using: &random), let new = MailboxName(name) else {
      return (holdings, nil)
    }
    let folder = Holdings.Folder(account: account, name: name)
    after.folders[folder] = .some(nil)
    let intended = after
    return (
      intended,
      { (store) throws(StoreError) in
        var after = intended
        after.folders[folder] = .some(try await store.createMailbox(new, specialUse: nil, of: account).id)
        return after
      }
    )
  }

  private mutating func changeAliases() -> (Holdings, Change?) {
    var after = holdings
    let known = holdings.aliases.sorted().randomElement(using: &random)
    if let known, holdings.aliases.count > 2 {
      after.aliases.remove(known)
      let intended = after
      return (
        intended,
        { (store) throws(StoreError) in
          try await store.removeAlias(.address(EmailAddress(localPart: known, domain: PowerTrial.domain)))
          return intended
        }
      )
    }
    made += 1
    let name = "w\(number)-alias\(made)"
    after.aliases.insert(name)
    let intended = after
    return (
      intended,
      { (store) throws(StoreError) in
        let pattern = Alias.Pattern.address(EmailAddress(localPart: name, domain: PowerTrial.domain))
        let target = EmailAddress(localPart: "user0", domain: PowerTrial.domain)
        try await store.setAlias(Alias(pattern: pattern, targets: [target]))
        return intended
      }
    )
  }

  private mutating func randomFlags() -> MessageFlags {
    let words = [Keyword("$Forwarded"), Keyword("torture")].filter { _ in random.oneIn(3) }
    return MessageFlags(SystemFlags(rawValue: UInt8.random(in: 0..<32, using: &random)), keywords: words)
  }

  static let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 60)
}

extension MessageFlags {
  fileprivate func after(_ change: FlagChange) -> MessageFlags {
    switch change {
    case .replace(let flags): flags
    case .add(let flags):
      MessageFlags(system.union(flags.system), keywords: Set(keywords + flags.keywords).sorted())
    case .remove(let flags):
      MessageFlags(system.subtracting(flags.system), keywords: keywords.filter { !flags.keywords.contains($0) })
    }
  }
}
