package import MessageFormat

extension MailStore {
  // MARK: Into the queue

  /// One body to local recipients and into the queue, in one commit. A local recipient over quota fails alone; where the
  /// store fails, all do, and nothing is queued. Results in the order of `recipients`.
  /// - Parameters:
  ///   - progress: changes of the queue in the same commit: the report about recipients, and that they are reported.
  ///   - sent: counts in the same commit.
  /// - Throws: `sendingLimit` where that would be too much; then nothing has happened.
  package func deliver(
    _ body: StagedBody, to recipients: [LocalDelivery], queued: [NewQueuedMessage], internalDate: DateTime,
    progress: QueueProgress = QueueProgress(), sent: SentMessage? = nil
  ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
    try await body.flushIfLarge()
    let (results, unused) = try await write(
      weight: body.isLarge ? 0 : body.size, scope: body.isLarge ? .anything : progress.scope
    ) { (transaction) throws(StoreError) in
      if let sent { try transaction.count(sent) }
      let results = try transaction.deliver(body, to: recipients, queued: queued, date: internalDate)
      return (results, try transaction.note(progress))
    }
    await forget(unused)
    return results
  }

  // MARK: Out of it

  /// - Parameter busy: destinations to leave out; a bounded number.
  package func look(
    atQueue time: Timestamp, without busy: Set<String>, _ room: QueueRoom
  ) async throws(StoreError) -> QueueLook {
    try await read { (snapshot) throws(StoreError) in
      QueueLook(
        destinations: try snapshot.dueDestinations(at: time, without: busy, room),
        hasExpired: try !snapshot.expiredMessages(at: time, limit: 1).isEmpty,
        hasReports: try snapshot.dueReports(at: time, limit: 1).count + snapshot.lateMessages(at: time, limit: 1).count > 0,
        next: try snapshot.nextQueueEvent(after: time))
    }
  }

  /// Messages that are due for a destination, a few of each account in turn, so that nobody's thousand stand before
  /// another's one; the most urgent of each first. At most 100 recipients of each; the others come with the next call.
  /// - Parameters:
  ///   - last: the account whose turn was last.
  ///   - taken: messages to leave out; a bounded number.
  package func dueDeliveries(
    for destination: String, at time: Timestamp, after last: AccountID?, without taken: Set<QueueID>, limit: Int
  ) async throws(StoreError) -> [QueuedDelivery] {
    try await read { (snapshot) throws(StoreError) in
      try snapshot.dueDeliveries(
        for: destination, at: time, after: last, without: taken, limit: limit)
    }
  }

  /// Messages of which something is to be reported by now, with those recipients.
  package func dueReports(at time: Timestamp, limit: Int) async throws(StoreError) -> [QueuedDelivery] {
    try await read { (snapshot) throws(StoreError) in try snapshot.dueReports(at: time, limit: limit) }
  }

  /// Messages whose senders are to be told that they take longer, with the recipients that wait.
  package func lateMessages(at time: Timestamp, limit: Int) async throws(StoreError) -> [QueuedDelivery] {
    try await read { (snapshot) throws(StoreError) in try snapshot.lateMessages(at: time, limit: limit) }
  }

  /// Messages whose time is over, with the recipients that wait.
  package func expiredMessages(at time: Timestamp, limit: Int) async throws(StoreError) -> [QueuedDelivery] {
    try await read { (snapshot) throws(StoreError) in try snapshot.expiredMessages(at: time, limit: limit) }
  }

  /// Nil where nothing waits for it.
  package func queuedDestination(_ name: String) async throws(StoreError) -> QueuedDestination? {
    try await read { (snapshot) throws(StoreError) in try snapshot.queuedDestination(name) }
  }

  /// Returns when it is durable. What is no longer in the queue is left out.
  package func note(_ progress: QueueProgress) async throws(StoreError) {
    let unused = try await write(scope: progress.scope) { (transaction) throws(StoreError) in
      try transaction.note(progress)
    }
    await forget(unused)
  }

  /// Nothing is being delivered to the destination any more.
  /// - Parameter progress: changes of the queue before that, in the same commit.
  /// - Returns: when something for it is due; nil where nothing waits.
  @discardableResult
  package func settle(
    destination: String, _ outcome: DestinationOutcome, noting progress: QueueProgress = QueueProgress()
  ) async throws(StoreError) -> Timestamp? {
    let (next, unused) = try await write(scope: progress.isEmpty ? .entriesAndQueue : progress.scope) {
      (transaction) throws(StoreError) in
      let unused = try transaction.note(progress)
      return (try transaction.settle(destination: destination, outcome), unused)
    }
    await forget(unused)
    return next
  }

  /// The machine's clock was put forward or back by `offset`: what is planned keeps its distance from now.
  package func moveQueue(by offset: Duration) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.moveQueue(by: offset) }
  }

  /// What has been tried, or came at a time that is still to come, and is planned for later than `limit`, is due now: the
  /// clock was another one when it was planned.
  package func hastenQueue(beyond limit: Timestamp) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.hastenQueue(beyond: limit) }
  }

  /// Gives everything that waits or is held the destination that is right today. Nothing of the queue may be under way.
  /// - Parameters:
  ///   - routes: a number for what `destination` goes by. Where the last time it was the same, nothing is looked at.
  ///   - destination: of a recipient, by the sender (nil is the null reverse-path) and the last one.
  /// - Returns: how many recipients have got another one.
  package func rerouteQueue(
    by routes: Int64,
    _ destination: @Sendable (_ recipient: EmailAddress, _ sender: EmailAddress?, _ last: String) -> String
  ) async throws(StoreError) -> Int {
    let known = try await read { (snapshot) throws(StoreError) in try snapshot.queueRoutes() }
    if known == routes { return 0 }
    var count = 0
    var last: QueuedRecipientID?
    while true {
      let piece = try await read { [last] (snapshot) throws(StoreError) in
        try snapshot.queuedWays(after: last, limit: Self.routedPiece)
      }
      guard let end = piece.last else {
        try await write { (transaction) throws(StoreError) in try transaction.setQueueRoutes(routes) }
        return count
      }
      last = end.id
      let moves = piece.compactMap { way -> (recipient: QueuedRecipientID, destination: String)? in
        guard let recipient = way.recipient else { return nil }
        let new = destination(recipient, way.sender, way.destination)
        return new == way.destination ? nil : (way.id, new)
      }
      count += moves.count
      for start in stride(from: 0, to: moves.count, by: Self.actionPiece) {
        let step = Array(moves[start..<min(start + Self.actionPiece, moves.count)])
        try await write { (transaction) throws(StoreError) in try transaction.reroute(step) }
      }
    }
  }

  private static let routedPiece = 2_000

  /// `wake` is called, from any thread, when something has come into the queue or is due earlier than it was.
  package func watchQueue(wake: @escaping @Sendable () -> Void) { publication.feed.watchQueue(wake) }

  // MARK: What other domains ask for

  package func transportPolicy(of domain: String) async throws(StoreError) -> TransportPolicy? {
    try await read { (snapshot) throws(StoreError) in try snapshot.transportPolicy(of: domain) }
  }

  package func setTransportPolicy(_ policy: TransportPolicy, of domain: String) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setTransportPolicy(policy, of: domain) }
  }

  // MARK: For an administrator

  /// In the order of their coming, after `last`, with all their recipients.
  package func queuedMessages(
    _ filter: QueueFilter, after last: QueueID? = nil, limit: Int
  ) async throws(StoreError) -> [QueuedDelivery] {
    try await read { (snapshot) throws(StoreError) in try snapshot.queuedMessages(filter, after: last, limit: limit) }
  }

  package func queueSummary() async throws(StoreError) -> QueueSummary {
    try await read { (snapshot) throws(StoreError) in try snapshot.queueSummary() }
  }

  /// Does it with all recipients that match. In steps, between which others write. Returns how many there were.
  package func perform(_ action: QueueAction, on filter: QueueFilter) async throws(StoreError) -> Int {
    var count = 0
    var last: QueueID?
    while true {
      let piece = try await queuedMessages(filter, after: last, limit: Self.actionPiece).map(\.message.id)
      guard let end = piece.last else { return count }
      last = end
      let (recipients, unused) = try await write { (transaction) throws(StoreError) in
        try transaction.perform(action, on: piece, filter)
      }
      count += recipients
      await forget(unused)
    }
  }

  private static let actionPiece = 200

  /// Their files; what stays is removed at the next start.
  private func forget(_ unused: [UnusedBody]) async {
    if !unused.isEmpty { try? await engine.discard(unused) }
  }
}

extension QueueProgress {
  fileprivate var scope: WriteScope {
    if isEmpty { return .additions }
    return warned.isEmpty && told.isEmpty ? .entriesAndQueue : .anything
  }
}
