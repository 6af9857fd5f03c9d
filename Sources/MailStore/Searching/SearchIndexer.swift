import Logging
import MessageFormat
import Metrics
import SQLite
import Threads

/// The thread that keeps `search.db` up to date. It runs in the time that others leave, takes new messages by the
/// hundred, gives way to mail that pours in, and makes the file anew where it is missing, damaged or not of this store.
///
/// Invariant: what the mark in the file says is known is known. The mark moves in the transaction that adds the
/// messages, over messages in the order of their IDs, which is the order of their commits.
final class SearchIndexer: @unchecked Sendable {
  /// What it is doing, for a person to see.
  enum Condition: Sendable {
    /// The file has not been looked at yet.
    case starting
    case working
    case unavailable(String)
  }

  let readers: SearchReaders
  private let layout: StoreLayout
  private let files: FileAccess
  private let logger: Logger
  private let storeKey: Int64
  private let nextID: Int64
  private let bodies: BodyReader
  private let delay: Duration

  private let monitor = Monitor()
  // Guarded by the monitor.
  /// Messages committed since the thread last looked.
  private var news = 0
  /// The same since the store was opened.
  private var arrived = 0
  private var newsSince = ContinuousClock.now
  private var mustRebuild = false
  private var isClosing = false
  private var isClosed = false
  private var condition = Condition.starting
  private var retryAt: ContinuousClock.Instant?
  private var startWaiters: [CheckedContinuation<Void, Never>] = []
  private var idleWaiters: [(continuation: CheckedContinuation<Void, Never>, progress: ProgressHandler)] = []
  private var closeWaiters: [CheckedContinuation<Void, Never>] = []

  // The thread's own.
  private var index: SearchDatabase?
  /// What had arrived when the thread last looked, and when that was.
  private var lastLook = (arrived: 0, time: ContinuousClock.now)
  private let lag: Gauge
  private let size: Gauge
  private let indexed: Counter

  /// Messages in one transaction.
  private static let batch = 500
  /// Messages a second: when more come than can be indexed anyway, the disk is theirs.
  private static let floodRate = 1_000.0
  /// How long a batch waits for a flood to end.
  private static let patience = Duration.seconds(5)
  private static let lookInterval = Duration.milliseconds(100)
  /// After an error that may pass, such as a full disk.
  private static let pause = Duration.seconds(60)

  /// - Parameters:
  ///   - storeKey: a number that no other store has.
  ///   - nextID: the first ID that the store had not given when it was opened.
  ///   - delay: how long new messages wait for others to be indexed together with.
  init(
    layout: StoreLayout, files: FileAccess, bodies: BodyReader, logger: Logger, storeKey: Int64, nextID: Int64,
    delay: Duration, metrics: any MetricsFactory
  ) {
    readers = SearchReaders(path: layout.searchIndex, files: files)
    self.layout = layout
    self.files = files
    self.logger = logger
    self.storeKey = storeKey
    self.nextID = nextID
    self.delay = delay
    self.bodies = bodies
    lag = Gauge(label: "martlet_search_index_waiting_messages", factory: metrics)
    size = Gauge(label: "martlet_search_index_size_bytes", factory: metrics)
    indexed = Counter(label: "martlet_search_index_messages_total", factory: metrics)
  }

  func start() {
    startThread { [self] in
      lowerThreadPriority()
      serve()
    }
  }

  // MARK: From other threads

  /// Messages have been committed.
  func note(newMessages count: Int) {
    monitor.withLock {
      if news == 0 { newsSince = .now }
      let before = news
      news += count
      arrived += count
      if before == 0 || before < Self.batch && news >= Self.batch { monitor.signal() }
    }
  }

  /// Makes the file anew. Searches look at every message meanwhile.
  func rebuild() {
    monitor.withLock {
      mustRebuild = true
      monitor.signal()
    }
  }

  var currentCondition: Condition { monitor.withLock { mustRebuild ? .starting : condition } }

  /// Returns when the file has been looked at.
  func hasStarted() async {
    await withCheckedContinuation { continuation in
      let isDone = monitor.withLock {
        if case .starting = condition, !isClosed {
          startWaiters.append(continuation)
          return false
        }
        return true
      }
      if isDone { continuation.resume() }
    }
  }

  /// Returns when everything that is committed now is in the index, or can't be brought there.
  func hasCaughtUp(_ progress: @escaping ProgressHandler) async {
    await withCheckedContinuation { continuation in
      let isDone = monitor.withLock {
        if !isClosed { idleWaiters.append((continuation, progress)) }
        monitor.signal()
        return isClosed
      }
      if isDone { continuation.resume() }
    }
  }

  /// Stops in the middle of its work, which goes on with the next start.
  func close() async {
    await withCheckedContinuation { continuation in
      let isDone = monitor.withLock {
        isClosing = true
        monitor.signal()
        if !isClosed { closeWaiters.append(continuation) }
        return isClosed
      }
      if isDone { continuation.resume() }
    }
  }

  func requestClose() {
    monitor.withLock {
      isClosing = true
      monitor.signal()
    }
  }

  // MARK: The thread

  private enum Work {
    case rebuild
    case index
  }

  private func serve() {
    keepUp()
    resume(\.startWaiters)
    while let work = nextWork() {
      if work == .rebuild { discard() }
      keepUp()
    }
    readers.close()
    index?.finish()
    index = nil
    monitor.withLock { isClosed = true }
    for waiter in monitor.withLock({ takeIdleWaiters() }) { waiter.resume() }
    resume(\.startWaiters)
    resume(\.closeWaiters)
  }

  /// Nil at the end.
  private func nextWork() -> Work? {
    while true {
      let (work, idle) = monitor.withLock { () -> (Work??, [CheckedContinuation<Void, Never>]) in
        if isClosing { return (.some(nil), []) }
        if mustRebuild {
          mustRebuild = false
          retryAt = nil
          return (.rebuild, [])
        }
        let now = ContinuousClock.now
        if let retryAt, now < retryAt {
          // Nobody waits for what can't be done now.
          if !idleWaiters.isEmpty { return (nil, takeIdleWaiters()) }
          monitor.wait(atMost: retryAt - now)
          return (nil, [])
        }
        if retryAt != nil || news > 0 && (news >= Self.batch || !idleWaiters.isEmpty || now >= newsSince + delay) {
          retryAt = nil
          return (.index, [])
        }
        if !idleWaiters.isEmpty { return (nil, takeIdleWaiters()) }
        if news > 0 { monitor.wait(atMost: newsSince + delay - now) } else { monitor.wait() }
        return (nil, [])
      }
      for waiter in idle { waiter.resume() }
      if let work { return work }
    }
  }

  private func takeIdleWaiters() -> [CheckedContinuation<Void, Never>] {
    defer { idleWaiters = [] }
    return idleWaiters.map(\.continuation)
  }

  private func resume(_ path: ReferenceWritableKeyPath<SearchIndexer, [CheckedContinuation<Void, Never>]>) {
    let waiters = monitor.withLock {
      defer { self[keyPath: path] = [] }
      return self[keyPath: path]
    }
    for waiter in waiters { waiter.resume() }
  }

  // MARK: Errors

  private enum Failure: Error {
    case index(SearchDatabase.Unusable)
    case store(StoreError)

    static func sql(_ error: SQLiteError) -> Failure { .index(.failed(error)) }
  }

  /// Brings the file up to date; one that turns out to be of no use is made anew, once.
  private func keepUp() {
    do throws(Failure) {
      return try bringUpToDate()
    } catch .index(let reason) where reason.isCuredByRebuild {
      logger.notice("search_index_discarded", metadata: ["reason": "\(reason.inWords)"])
      discard()
    } catch {
      return give(up: error)
    }
    do throws(Failure) {
      try bringUpToDate()
    } catch {
      give(up: error)
    }
  }

  private func bringUpToDate() throws(Failure) {
    let store = try fromStore { () throws(StoreError) in
      do throws(SQLiteError) {
        return try files.openDatabase(layout.database, .reading, cacheBytes: 1 << 20)
      } catch {
        throw StoreError(error)
      }
    }
    try open(store)
    try indexAll(store)
  }

  private func give(up failure: Failure) {
    // What the file says up to its mark stays true, so searches go on using it.
    let (text, mayPass) =
      switch failure {
      case .index(.withoutFullText): ("the system's SQLite has no FTS5", false)
      case .index(let reason): (reason.inWords, true)
      case .store(let error): ("\(error)", true)
      }
    logger.error("search_index_stopped", metadata: ["error": "\(text)", "retries": "\(mayPass)"])
    monitor.withLock {
      condition = .unavailable(text)
      retryAt = .now + (mayPass ? Self.pause : .seconds(365 * 86_400))
    }
  }

  // MARK: The file

  private func open(_ store: Database) throws(Failure) {
    defer { resume(\.startWaiters) }
    if index == nil {
      // A store without mail needs no file.
      if !files.exists(layout.searchIndex),
        try fromStore({ () throws(StoreError) in try store.messageCount(after: 0) }) == 0
      {
        return monitor.withLock { condition = .working }
      }
      do throws(SearchDatabase.Unusable) {
        // SQLite would let others read it.
        _ = try? File(layout.searchIndex, .writing, access: files)
        index = try SearchDatabase(
          writing: layout.searchIndex, files: files, store: storeKey, nextID: nextID)
      } catch {
        throw .index(error)
      }
      try refuseMostlyStale(store)
      readers.open()
    }
    monitor.withLock { condition = .working }
  }

  /// Rows of messages that the store no longer has can't be taken out of the file one by one.
  private func refuseMostlyStale(_ store: Database) throws(Failure) {
    guard let index else { return }
    let known = try fromIndex { () throws(SQLiteError) in try index.messageCount() }
    guard known > 10_000 else { return }
    if known > 2 * (try fromStore { () throws(StoreError) in try store.messageCount(after: 0) }) { throw .index(.stale) }
  }

  private func discard() {
    readers.close()
    index = nil
    files.removeDatabase(layout.searchIndex)
  }

  private func fromIndex<Result>(_ body: () throws(SQLiteError) -> Result) throws(Failure) -> Result {
    do throws(SQLiteError) { return try body() } catch { throw .sql(error) }
  }

  private func fromStore<Result>(_ body: () throws(StoreError) -> Result) throws(Failure) -> Result {
    do throws(StoreError) { return try body() } catch { throw .store(error) }
  }

  // MARK: Indexing

  private var mustStop: Bool { monitor.withLock { isClosing || mustRebuild } }

  /// Until nothing is left, or something else is to be done.
  private func indexAll(_ store: Database) throws(Failure) {
    guard let index else { return }
    var texts = MessageGrams(bodies: bodies)
    monitor.withLock { news = 0 }
    var mark = try fromIndex { () throws(SQLiteError) in try index.indexedThrough() }
    var waiting = try fromStore { () throws(StoreError) in try store.messageCount(after: mark) }
    let isLong = waiting > 10_000
    let start = ContinuousClock.now
    var done = 0
    if isLong { logger.notice("search_index_behind", metadata: ["messages": "\(waiting)"]) }
    while true {
      giveWay()
      if mustStop { break }
      lag.record(waiting)
      let messages = try fromStore { () throws(StoreError) in try store.messages(after: mark, limit: Self.batch) }
      guard let last = messages.last else { break }
      try index.adding(failure: Failure.sql) { () throws(Failure) in
        // A row's number begins with the account.
        for message in messages.sorted(by: { ($0.account, $0.id) < ($1.account, $1.id) }) {
          if mustStop { return nil }
          try add(message, to: index, &texts, store)
        }
        return (last.id.rawValue, messages.count)
      }
      mark = last.id.rawValue
      done += messages.count
      waiting = max(0, waiting - messages.count)
      indexed.increment(by: Int64(messages.count))
      let progress = OperationProgress(
        phase: "indexing", done: Int64(done), total: Int64(done + waiting), unit: .messages)
      for waiter in monitor.withLock({ idleWaiters }) { waiter.progress(progress) }
    }
    if let failure = texts.takeFailure() {
      logger.warning(
        "search_index_messages_unreadable",
        metadata: ["messages": "\(failure.count)", "error": "\(failure.error)"])
    }
    index.rest()
    lag.record(waiting)
    size.record(files.size(of: layout.searchIndex))
    if isLong, waiting == 0 {
      let time = (ContinuousClock.now - start).components.seconds
      logger.notice("search_index_current", metadata: ["messages": "\(done)", "seconds": "\(time)"])
    }
  }

  /// Lets a flood of new messages pass.
  private func giveWay() {
    let end = ContinuousClock.now + Self.patience
    while true {
      let now = ContinuousClock.now
      let arrived = monitor.withLock { self.arrived }
      let seconds = max((now - lastLook.time) / .seconds(1), 0.001)
      let isFlood = Double(arrived - lastLook.arrived) / seconds > Self.floodRate
      lastLook = (arrived, now)
      guard isFlood, now < end, !mustStop else { return }
      let next = now + Self.lookInterval
      monitor.withLock {
        while !isClosing, !mustRebuild, ContinuousClock.now < next {
          monitor.wait(atMost: next - .now)
        }
      }
    }
  }

  private func add(
    _ message: StoredMessage, to index: SearchDatabase, _ texts: inout MessageGrams, _ store: Database
  ) throws(Failure) {
    // One that is in no list comes into question in every search.
    let isListed = texts.gather(message, store)
    try fromIndex { () throws(SQLiteError) in
      if isListed {
        try index.add(message.id, of: message.account, texts.grams)
      } else {
        try index.addUnlisted(message.id, of: message.account)
      }
    }
  }
}

extension SearchDatabase.Unusable {
  fileprivate var isCuredByRebuild: Bool {
    switch self {
    case .failed(let error): error.kind == .corrupt
    case .withoutFullText: false
    case .stale: true
    }
  }

  fileprivate var inWords: String {
    switch self {
    case .failed(let error): error.description
    case .withoutFullText: "no FTS5"
    case .stale: "not of this store as it is now"
    }
  }
}
