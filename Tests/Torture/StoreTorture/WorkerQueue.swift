import MailStore
import MessageFormat

/// What a worker does with the queue. Each message has a sender of its own, by whom it is found.
extension Worker {
  private static let destinations = ["one.test", "two.test"]

  /// A message that others on this server may have, too.
  mutating func enqueue(_ accounts: [AccountID]) -> (Holdings, Change?) {
    let name = newMessage()
    let count = Int.random(in: 1...3, using: &random)
    let local = random.oneIn(3) ? accounts.randomElement(using: &random) : nil
    let before = holdings
    func after(_ result: AppendResult?) -> Holdings {
      var holdings = before
      holdings.queued[name] = Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, .waiting) })
      if let local {
        let place = Holdings.Place(mailbox: result?.mailbox, uid: result?.uids.first, flags: .init())
        holdings.setPlaces([place], of: .init(account: local, name: name))
      }
      return holdings
    }
    let message = NewQueuedMessage(
      sender: Self.sender(of: name), prefix: TortureMessage.prefix, notBefore: Self.time,
      expires: Self.time.advanced(by: .seconds(86_400)),
      recipients: (0..<count).map { position in
        let destination = Self.destinations[position % Self.destinations.count]
        return NewQueuedRecipient(
          address: EmailAddress(localPart: "r\(position)", domain: Domain(destination) ?? PowerTrial.domain),
          destination: destination)
      })
    let sent = random.oneIn(2) ? accounts.first : nil
    let worker = self
    return (
      after(nil),
      { (store) throws(StoreError) in
        let results = try await store.deliver(
          try await worker.staged(name, in: store), to: local.map { [Self.delivery(to: $0)] } ?? [], queued: [message],
          internalDate: Self.date,
          sent: sent.map { SentMessage(account: $0, recipients: [RecipientKey(rawValue: 7)], limits: SendingLimits()) })
        return after(try results.first?.get())
      }
    )
  }

  /// Attempts have been made for a message: some recipients are done with, some wait, of some a report is due, which may
  /// be sent in the same commit.
  mutating func attempt(_ accounts: [AccountID]) -> (Holdings, Change?) {
    guard let (name, recipients) = chosenQueued() else { return (holdings, nil) }
    var outcomes: [(position: Int, outcome: QueuedOutcome)] = []
    var rest = recipients
    for position in recipients.keys.sorted() {
      switch Int.random(in: 0..<5, using: &random) {
      case 0, 1:
        outcomes.append((position, .done))
        rest[position] = nil
      case 2: outcomes.append((position, .retry(at: Self.time, result: "451 later")))
      case 3:
        outcomes.append((position, .report(at: Self.time, result: "550 no")))
        rest[position] = .reporting
      default: break
      }
    }
    let report = random.oneIn(5) ? newMessage() : nil
    let account = accounts.randomElement(using: &random)
    let before = holdings
    func after(_ result: AppendResult?) -> Holdings {
      var holdings = before
      holdings.queued[name] = rest.isEmpty ? nil : rest
      if let report, let account {
        let place = Holdings.Place(mailbox: result?.mailbox, uid: result?.uids.first, flags: .init())
        holdings.setPlaces([place], of: .init(account: account, name: report))
      }
      return holdings
    }
    let settles = random.oneIn(3)
    let worker = self
    return (
      after(nil),
      { [outcomes] (store) throws(StoreError) in
        guard let id = try await Self.queueID(of: name, in: store) else { throw .messageNotFound }
        var progress = QueueProgress()
        progress.outcomes = outcomes.map { (QueuedRecipientID(message: id, position: $0.position), $0.outcome) }
        var result: AppendResult?
        if let report, let account {
          result = try await store.deliver(
            try await worker.staged(report, in: store), to: [Self.delivery(to: account)], queued: [],
            internalDate: Self.date, progress: progress
          ).first?.get()
        } else {
          try await store.note(progress)
        }
        // Whether it has happened is nobody's to see.
        if settles { _ = try? await store.settle(destination: Self.destinations[0], .reached) }
        return after(result)
      }
    )
  }

  /// As an administrator does.
  mutating func handleQueue() -> (Holdings, Change?) {
    guard let (name, recipients) = chosenQueued() else { return (holdings, nil) }
    let action = [QueueAction.hold, .release, .drop].randomElement(using: &random) ?? .hold
    var after = holdings
    switch action {
    case .hold: after.queued[name] = recipients.mapValues { $0 == .waiting ? .held : $0 }
    case .release, .retry: after.queued[name] = recipients.mapValues { $0 == .held ? .waiting : $0 }
    case .drop: after.queued[name] = nil
    }
    let intended = after
    return (
      intended,
      { (store) throws(StoreError) in
        _ = try await store.perform(action, on: QueueFilter(sender: Self.sender(of: name)))
        return intended
      }
    )
  }

  private mutating func chosenQueued() -> (name: String, recipients: [Int: QueuedRecipient.State])? {
    holdings.queued.sorted(by: { $0.key < $1.key }).randomElement(using: &random).map { ($0.key, $0.value) }
  }

  private static func sender(of name: String) -> EmailAddress {
    EmailAddress(localPart: name, domain: PowerTrial.domain)
  }

  private static func delivery(to account: AccountID) -> LocalDelivery {
    LocalDelivery(account: account, prefix: TortureMessage.prefix)
  }

  private static func queueID(of name: String, in store: MailStore) async throws(StoreError) -> QueueID? {
    try await store.queuedMessages(QueueFilter(sender: sender(of: name)), limit: 1).first?.message.id
  }

  private static let time = Timestamp(seconds: 1_700_000_000)
}
