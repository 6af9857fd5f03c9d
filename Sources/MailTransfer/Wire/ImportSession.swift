package import MailStore
package import MessageFormat
package import Networking

/// The server's side of an import: takes what the command sends into the store.
///
/// Messages gather into a batch, which is committed while the next one gathers; while two batches are in hand nothing
/// more is read. So memory is bounded by two batches, and a message is told of as stored when its commit is on the
/// disk.
package struct ImportSession {
  private let store: MailStore
  private let account: AccountID
  private let clock: WallClock
  /// Nothing is stored: offers are answered as if it would be.
  private let isRehearsal: Bool
  /// Octets of one message.
  private let messageSize: Int
  private let channel: TransferChannel

  private var target: Target?
  private var body: Body?
  private var batch: [ImportedMessage] = []
  /// What the command calls the messages of the batch.
  private var labels: [String] = []
  private var batchOctets = 0
  private var commit: Task<Committed, Never>?
  private var stored = 0

  private enum Target {
    case origin(ImportID)
    /// A rehearsal's origin that no run has met.
    case unmet
  }

  /// A message on its way in.
  private struct Body {
    let stage: BodyStage
    var isTooLarge = false
  }

  private typealias Committed = Result<StoredMessages, StoreError>

  /// What ends the session, in words for the command.
  private struct End: Error {
    var text: String?
  }

  /// A command that waits for a slow source is silent for long.
  private static let silenceLimit = Duration.seconds(24 * 3600)

  package init(
    store: MailStore, account: AccountID, clock: WallClock, isRehearsal: Bool, messageSize: Int,
    connection: Connection
  ) {
    self.store = store
    self.account = account
    self.clock = clock
    self.isRehearsal = isRehearsal
    self.messageSize = messageSize
    channel = TransferChannel(connection)
  }

  /// Returns how many messages were stored.
  package mutating func run() async -> Int {
    do throws(End) {
      while try await takeFrame() {}
    } catch {
      // What was gathered is not lost to the next run: it begins where the last commit ended.
      body?.stage.discard()
      if case .success(let committed)? = await commit?.value { stored += committed.stored }
      if let text = error.text {
        try? await channel.send(.failed, Array(text.utf8))
        try? await channel.flush()
      }
    }
    return stored
  }

  /// False after the last one.
  private mutating func takeFrame() async throws(End) -> Bool {
    let frame = try await next()
    switch frame.kind {
    case .mailbox: try await open(try value(frame))
    case .offers: try await answer(try value(frame))
    case .octets: try await append(frame.payload)
    case .facts: try await finishMessage(try value(frame))
    case .abandoned: dropMessage()
    case .leave: try await leave(try value(frame))
    case .end:
      try await commitAll()
      try await send(.ended, [])
      try await flush()
      return false
    case .settled, .news, .stored, .left, .ended, .failed, .exportedMailbox, .exportedMessage, .exportProblem:
      throw End(text: "the command speaks another version of the protocol")
    }
    return true
  }

  // MARK: Origins

  private mutating func open(_ origin: ImportOrigin) async throws(End) {
    try await commitAll()
    let settled: SettledOrigin
    do throws(StoreError) {
      if isRehearsal {
        target = try await store.knownImport(origin.identity, of: account).map { .origin($0) } ?? .unmet
        settled = .target(mailbox: origin.mailbox.text, keepsUIDs: false, messageSize: messageSize)
      } else {
        let opened = try await store.openImport(origin, of: account)
        target = .origin(opened.id)
        settled = .target(
          mailbox: opened.mailbox.text, keepsUIDs: opened.keepsUIDs, messageSize: messageSize)
      }
    } catch {
      switch error {
      case .accountNotFound, .closed, .deviceFull, .inputOutput, .corrupt: throw End(text: error.inWords)
      default:
        target = nil
        settled = .refused(error.inWords)
      }
    }
    try await send(.settled, settled.payload)
  }

  private func answer(_ offers: ImportOffers) async throws(End) {
    let news: [Bool]
    switch target {
    case nil: throw End(text: "messages were offered before their mailbox was named")
    case .unmet: news = offers.offers.map { _ in true }
    case .origin(let id):
      do throws(StoreError) {
        news = try await store.areNews(offers.offers, from: id, onlyAsks: isRehearsal)
      } catch {
        throw End(text: error.inWords)
      }
    }
    try await send(.news, ImportNews(news).payload)
  }

  private mutating func leave(_ departure: Departure) async throws(End) {
    try await commitAll()
    var keepsUIDs = false
    if case .origin(let id) = target, !isRehearsal {
      do throws(StoreError) {
        keepsUIDs = try await store.closeImport(id, uidNext: departure.uidNext).keepsUIDs
      } catch {
        throw End(text: error.inWords)
      }
    }
    target = nil
    try await send(.left, Leave(keepsUIDs: keepsUIDs).payload)
  }

  // MARK: Messages

  private mutating func append(_ octets: [UInt8]) async throws(End) {
    if body == nil { body = Body(stage: store.stageBody(expectedSize: nil)) }
    guard let current = body, !current.isTooLarge else { return }
    guard current.stage.size + octets.count <= messageSize else {
      current.stage.discard()
      body?.isTooLarge = true
      return
    }
    do throws(StoreError) {
      try await current.stage.append(octets)
    } catch {
      throw End(text: error.inWords)
    }
  }

  private mutating func dropMessage() {
    body?.stage.discard()
    body = nil
  }

  private mutating func finishMessage(_ facts: ImportFacts) async throws(End) {
    guard case .origin = target else { throw End(text: "a message came that was not asked for") }
    let finished = body ?? Body(stage: store.stageBody(expectedSize: 0))
    body = nil
    if finished.isTooLarge {
      let failure = StoredMessages.Failure(label: facts.label, reason: tooLarge(messageSize))
      return try await send(.stored, StoredMessages(count: 1, stored: 0, failures: [failure]).payload)
    }
    let staged: StagedBody
    do throws(StoreError) {
      staged = try await finished.stage.finish()
    } catch {
      throw End(text: error.inWords)
    }
    let date =
      facts.date ?? headerDate(of: staged.head) ?? DateTime(timestamp: clock.now(), offsetMinutes: 0)
    let message = NewMessage(body: staged, flags: facts.flags, internalDate: date)
    batch.append(ImportedMessage(key: facts.key, uid: facts.uid, message: message))
    labels.append(facts.label)
    batchOctets += min(staged.size, 1 << 20)
    if batch.count >= TransferLimits.batchMessages || batchOctets >= TransferLimits.batchOctets {
      try await commitBatch()
    }
  }

  // MARK: Commits

  private mutating func commitAll() async throws(End) {
    if !batch.isEmpty { try await commitBatch() }
    try await awaitCommit()
  }

  private mutating func commitBatch() async throws(End) {
    try await awaitCommit()
    guard case .origin(let id) = target else { return }
    let (messages, labels) = (batch, labels)
    batch = []
    self.labels = []
    batchOctets = 0
    let store = store
    commit = Task {
      do throws(StoreError) {
        let result = try await store.importMessages(messages, from: id)
        return .success(
          StoredMessages(
            count: messages.count, stored: result.stored,
            failures: result.failures.map { .init(label: labels[$0.index], reason: $0.error.inWords) }))
      } catch {
        return .failure(error)
      }
    }
  }

  private mutating func awaitCommit() async throws(End) {
    guard let committed = await commit?.value else { return }
    commit = nil
    switch committed {
    case .success(let committed):
      stored += committed.stored
      try await send(.stored, committed.payload)
      try await flush()
    case .failure(let error): throw End(text: error.inWords)
    }
  }

  // MARK: The channel

  private func next() async throws(End) -> TransferFrame {
    do throws(TransferChannel.Failure) {
      return try await channel.next(timeout: Self.silenceLimit)
    } catch {
      switch error {
      case .stopping: throw End(text: "the server is stopping; the same command goes on where it ended")
      case .malformed: throw End(text: "the command speaks another version of the protocol")
      case .closed, .timedOut: throw End(text: nil)
      }
    }
  }

  private func value<Value: TransferValue>(_ frame: TransferFrame) throws(End) -> Value {
    guard let value = Value(payload: frame.payload) else {
      throw End(text: "the command speaks another version of the protocol")
    }
    return value
  }

  private func send(_ kind: TransferFrame.Kind, _ payload: [UInt8]) async throws(End) {
    do throws(TransferChannel.Failure) { try await channel.send(kind, payload) } catch { throw End(text: nil) }
  }

  private func flush() async throws(End) {
    do throws(TransferChannel.Failure) { try await channel.flush() } catch { throw End(text: nil) }
  }
}

/// Why a message is refused, where the limit is so many octets.
func tooLarge(_ messageSize: Int) -> String { "it is larger than limits.message_size, \(messageSize) octets" }
