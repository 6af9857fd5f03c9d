import DequeModule
import Logging
import MessageFormat
import Metrics
import SQLite
import Synchronization
import Threads

/// A change that waits for its commit, with whoever waits for it.
class QueuedWrite {
  /// Octets it adds to the pack.
  let weight: Int
  let scope: WriteScope
  init(weight: Int, scope: WriteScope) {
    self.weight = weight
    self.scope = scope
  }
  func apply(_ context: WriteContext) throws(StoreError) { fatalError("abstract") }
  func complete(_ failure: StoreError?) { fatalError("abstract") }
}

final class QueuedChange<Value: Sendable>: QueuedWrite {
  private let change: (WriteContext) throws(StoreError) -> Value
  private let continuation: CheckedContinuation<Result<Value, StoreError>, Never>
  private var value: Value?

  init(
    weight: Int, scope: WriteScope, _ continuation: CheckedContinuation<Result<Value, StoreError>, Never>,
    _ change: @escaping (WriteContext) throws(StoreError) -> Value
  ) {
    self.change = change
    self.continuation = continuation
    super.init(weight: weight, scope: scope)
  }

  override func apply(_ context: WriteContext) throws(StoreError) { value = try change(context) }

  override func complete(_ failure: StoreError?) {
    if let failure {
      continuation.resume(returning: .failure(failure))
    } else if let value {
      continuation.resume(returning: .success(value))
    } else {
      continuation.resume(returning: .failure(.closed))
    }
  }
}

/// The one thread that writes. It takes all changes that wait, puts each into a savepoint of one transaction, flushes
/// the pack, commits, publishes, and answers; the next group gathers meanwhile.
final class Writer: @unchecked Sendable {
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var queue = Deque<QueuedWrite>()
  private var isClosing = false
  private var closeWaiters: [CheckedContinuation<Void, Never>] = []
  private var isClosed = false

  // The thread's own.
  private let context: WriteContext
  private let layout: StoreLayout
  private let files: FileAccess
  private let logger: Logger
  private var mustReopen = false
  /// Flushes the pack while this thread puts rows into the database.
  private let flusher = SideThread()

  private let publication: Publication
  private let search: SearchIndex
  private let checkpointer: Checkpointer
  private let published: Mutex<Directory>
  private let metrics: StoreMetrics

  /// A group takes no more than this, so that the first in it does not wait for ever.
  private static let groupChanges = 1_024
  private static let groupOctets = 16 << 20
  /// In smaller groups the rows are put in faster than another thread wakes up.
  private static let flushAsideChanges = 8

  init(
    context: WriteContext, layout: StoreLayout, files: FileAccess, publication: Publication,
    search: SearchIndex, checkpointer: Checkpointer, metrics: StoreMetrics, logger: Logger
  ) {
    self.context = context
    self.layout = layout
    self.files = files
    self.publication = publication
    self.search = search
    self.checkpointer = checkpointer
    self.metrics = metrics
    self.logger = logger
    published = Mutex(context.directory)
  }

  var directory: Directory { published.withLock { $0 } }

  func start() {
    flusher.start()
    startThread { [self] in serve() }
  }

  /// The change runs on the writer's thread; the result comes back when it is durable and published.
  func run<Value: Sendable>(
    weight: Int = 0, scope: WriteScope = .anything,
    _ change: @escaping @Sendable (WriteContext) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
      let write = QueuedChange(weight: weight, scope: scope, continuation, change)
      let isAccepted = monitor.withLock {
        guard !isClosing else { return false }
        queue.append(write)
        if queue.count == 1 { monitor.signal() }
        return true
      }
      if !isAccepted { write.complete(.closed) }
    }
    return try result.get()
  }

  /// Commits what is queued and ends the thread.
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

  private func serve() {
    while let group = nextGroup() { commit(group) }
    commit([])
    checkpointer.finish(context.database)
    flusher.stop()
    context.database.close()
    let waiters = monitor.withLock {
      isClosed = true
      defer { closeWaiters = [] }
      return closeWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private func nextGroup() -> [QueuedWrite]? {
    monitor.withLock {
      while queue.isEmpty {
        if isClosing { return nil }
        monitor.wait()
      }
      metrics.waitingChanges.record(queue.count)
      var group: [QueuedWrite] = []
      var octets = 0
      while let next = queue.first, group.count < Self.groupChanges,
        group.isEmpty || octets + next.weight <= Self.groupOctets
      {
        octets += next.weight
        group.append(next)
        queue.removeFirst()
      }
      return group
    }
  }

  private func commit(_ group: [QueuedWrite]) {
    let start = ContinuousClock.now
    let failures: [StoreError?]
    do throws(StoreError) {
      do throws(FileError) { try checkpointer.mendLog() } catch { throw error.storeError }
      try reopenIfNeeded()
      failures = try apply(group)
    } catch {
      context.database.rollBack()
      context.abandonGroup(directory: directory, isCertain: true)
      return fail(group, error)
    }
    do throws(SQLiteError) {
      try context.database.commit()
    } catch {
      context.database.rollBack()
      // A full disk stops a commit before its last page is written. After other errors a restart may still find it
      // whole, so its records stay where they are.
      let isCertain = error.kind == .full
      if !isCertain {
        mustReopen = true
        checkpointer.doubtLog()
      }
      context.abandonGroup(directory: directory, isCertain: isCertain)
      return fail(group, StoreError(error))
    }
    publish()
    for (write, failure) in zip(group, failures) { write.complete(failure) }
    metrics.groupChanges.record(group.count)
    metrics.commitTime.record(duration: ContinuousClock.now - start)
    checkpointer.check(context.database)
  }

  /// Returns what each change failed with.
  private func apply(_ group: [QueuedWrite]) throws(StoreError) -> [StoreError?] {
    let mayPackCommit = !group.isEmpty && group.allSatisfy { $0.scope != .anything }
    let first =
      group.count >= Self.flushAsideChanges
      ? try applyFlushingAside(group, mayPackCommit) : try applyInTurn(group, mayPackCommit)
    if let first { return first }
    guard let second = try applyInTurn(group, false) else { throw .inputOutput("a group was not applied") }
    return second
  }

  /// One thing after the other. Nil, with nothing done, where the pack was to commit the group and it does more than that.
  private func applyInTurn(_ group: [QueuedWrite], _ mayPackCommit: Bool) throws(StoreError) -> [StoreError?]? {
    try context.beginGroup(mayPackCommit: mayPackCommit)
    var failures: [StoreError?] = []
    for write in group { failures.append(try applyAlone(write, areRowsDeferred: false)) }
    guard try context.endRecords() else { return giveUp() }
    try saveRecentClaims()
    try context.writeRows()
    let start = ContinuousClock.now
    try flushBodies { () throws(FileError) in try context.packs.flush() }
    metrics.flushTime.record(duration: ContinuousClock.now - start)
    return failures
  }

  /// Rows of new messages wait until all of the group's records are known, and are put in while those are flushed.
  ///
  /// A row that cannot be put in then has no change any more that could fail for it alone. So nil is returned, with
  /// nothing done, and the group is to be applied in turn; also where the pack was to commit it and it does more.
  private func applyFlushingAside(_ group: [QueuedWrite], _ mayPackCommit: Bool) throws(StoreError) -> [StoreError?]? {
    try context.beginGroup(mayPackCommit: mayPackCommit)
    var failures: [StoreError?] = []
    do throws(StoreError) {
      for write in group {
        if write.scope != .additions { try context.writeNewRows() }
        failures.append(try applyAlone(write, areRowsDeferred: write.scope == .additions))
      }
      guard try context.endRecords() else { return giveUp() }
    } catch {
      return try giveUpFlushingAside(error)
    }
    let packs = context.packs
    let start = ContinuousClock.now
    var flushing = (failure: FileError?.none, time: Duration.zero)
    flusher.begin {
      do throws(FileError) { try packs.flush() } catch { flushing.failure = error }
      flushing.time = ContinuousClock.now - start
    }
    var failure: StoreError?
    do throws(StoreError) {
      try context.writeNewRows()
      try saveRecentClaims()
      try context.writeRows()
    } catch {
      failure = error
    }
    flusher.wait()
    try flushBodies { () throws(FileError) in if let failure = flushing.failure { throw failure } }
    metrics.flushTime.record(duration: flushing.time)
    if let failure { return try giveUpFlushingAside(failure) }
    return failures
  }

  /// What SQLite has not rolled back by itself was the fault of a row, not of the disk.
  private func giveUpFlushingAside(_ error: StoreError) throws(StoreError) -> [StoreError?]? {
    guard context.database.isInTransaction else { throw error }
    return giveUp()
  }

  /// Nothing of the group has happened.
  private func giveUp() -> [StoreError?]? {
    context.database.rollBack()
    context.abandonGroup(directory: directory, isCertain: true)
    return nil
  }

  /// Runs a change in a savepoint. Its own failure is returned; one that ends the whole group is thrown.
  private func applyAlone(_ write: QueuedWrite, areRowsDeferred: Bool) throws(StoreError) -> StoreError? {
    try context.beginOperation(areRowsDeferred: areRowsDeferred)
    do throws(StoreError) {
      try write.apply(context)
      try context.endOperation()
      return nil
    } catch {
      // SQLite gives up the transaction by itself when the disk is full or fails.
      guard context.database.isInTransaction else { throw error }
      try context.undoOperation()
      return error
    }
  }

  private func saveRecentClaims() throws(StoreError) {
    for (mailbox, uid) in publication.takeRecentClaims() {
      try context.database.change(
        "UPDATE mailboxes SET first_recent = ? WHERE id = ?", .integer(Int64(uid.rawValue)), .integer(mailbox.rawValue))
    }
  }

  /// The records first, then the commit.
  private func flushBodies(_ flushPack: () throws(FileError) -> Void) throws(StoreError) {
    let octets = context.packs.newOctets
    do throws(FileError) {
      try flushPack()
      if context.hasNewLargeBodies { try files.flushDirectory(layout.large) }
    } catch {
      throw error.storeError
    }
    metrics.writtenOctets.increment(by: octets)
  }

  private func publish() {
    context.commitGroup()
    if context.isDirectoryChanged {
      let directory = context.directory
      published.withLock { $0 = directory }
    }
    var commit = Publication.Commit()
    commit.changes = context.changes
    commit.mailboxes = context.changedMailboxRows()
    commit.removedMailboxes = context.removedMailboxes
    commit.isQueueChanged = context.isQueueChanged
    publication.publish(commit)
    let newMessages = commit.changes.reduce(0) { $0 + $1.change.newEntries }
    if newMessages > 0 { search.note(newMessages: newMessages) }
    context.endGroup()
  }

  /// Also those that failed by themselves: what was in their way may have been a neighbour's, which never came to be.
  private func fail(_ group: [QueuedWrite], _ error: StoreError) {
    logger.error(
      "store_commit_failed", metadata: ["changes": "\(group.count)", "error": "\(error)"])
    metrics.failedCommits.increment()
    for write in group { write.complete(error) }
  }

  private func reopenIfNeeded() throws(StoreError) {
    guard mustReopen else { return }
    do throws(SQLiteError) {
      context.use(try files.openDatabase(layout.database, .writing))
      mustReopen = false
    } catch {
      throw StoreError(error)
    }
  }
}

extension Change {
  /// Copies are among them: whoever counts new messages by it counts too many, never too few.
  fileprivate var newEntries: Int { if case .appended(_, let states) = self { states.count } else { 0 } }
}
