import SQLite

/// How a verification goes about its work.
package struct VerificationOptions: Sendable {
  /// Also compares every index of store.db with its table, which takes several times as long.
  package var isThorough: Bool
  /// How many octets a second it reads of packs and large files; nil for as many as it can.
  package var octetsPerSecond: Int64?
  package init(isThorough: Bool = false, octetsPerSecond: Int64? = nil) {
    self.isThorough = isThorough
    self.octetsPerSecond = octetsPerSecond
  }
}

/// Looks at all of a store: every checksum, and everything that must hold.
///
/// It reads in many small steps, each on one state of the database, while others read and write. What seems wrong is
/// looked at a second time on a newer state before it is reported. Blocks, so it has a thread and a connection of its
/// own.
struct StoreVerifier {
  let database: Database
  let layout: StoreLayout
  let files: FileAccess
  let options: VerificationOptions
  let isCancelled: @Sendable () -> Bool
  let progress: ProgressHandler

  var report = VerificationReport()
  var rate: ReadingRate

  // What one step finds and another needs.
  /// Bodies whose record was read and is whole.
  var wholeBodies = IdentifierSet()
  /// Bodies that cannot be read, with the reason.
  var lostBodies: [Int64: String] = [:]
  /// Of these bodies.
  var lostMessages: [Int64: Int64] = [:]
  /// Bodies that a message has.
  var usedBodies = IdentifierSet()
  var knownBodies = IdentifierSet()
  /// Messages that say they are in a mailbox, and those that were found in one.
  var countedMessages = IdentifierSet()
  var seenMessages = IdentifierSet()

  init(
    database: Database, layout: StoreLayout, files: FileAccess, options: VerificationOptions,
    isCancelled: @escaping @Sendable () -> Bool = { false }, progress: @escaping ProgressHandler = { _ in }
  ) {
    self.database = database
    self.layout = layout
    self.files = files
    self.options = options
    self.isCancelled = isCancelled
    self.progress = progress
    rate = ReadingRate(octetsPerSecond: options.octetsPerSecond)
  }

  /// Throws `closed` where it was cancelled.
  mutating func run() throws(StoreError) -> VerificationReport {
    let begin = ContinuousClock.now
    do throws(StoreError) {
      try checkDatabase()
      let start = try reading { (database) throws(StoreError) in try VerificationStart(database) }
      try checkPacks(start)
      try checkLargeFiles(start)
      try checkBodies(start)
      try checkMessages(start)
      try checkDirectory(start)
      try checkAccounts()
      try checkDeletedEntries()
      try checkQueue()
      try checkImports()
      try checkLeftovers(start)
    } catch {
      switch error {
      case .closed: throw error
      case .corrupt(let text), .inputOutput(let text): report.add(.database, "store.db", text)
      default: report.add(.database, "store.db", "\(error)")
      }
    }
    let time = (ContinuousClock.now - begin).components
    report.seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
    return report
  }

  func reading<Value>(_ body: (Database) throws(StoreError) -> Value) throws(StoreError) -> Value {
    if isCancelled() { throw .closed }
    return try database.reading { () throws(StoreError) in try body(database) }
  }

  /// Reports what a check finds twice.
  mutating func confirm(
    _ check: (Database) throws(StoreError) -> [StoreFinding]
  ) throws(StoreError) {
    let first = try reading(check)
    guard !first.isEmpty else { return }
    let subjects = Set(first.map { "\($0.kind) \($0.subject)" })
    for finding in try reading(check) where subjects.contains("\(finding.kind) \(finding.subject)") {
      report.add(finding)
    }
  }

  func show(_ phase: String, _ done: Int64, of total: Int64?, _ unit: OperationProgress.Unit) {
    progress(OperationProgress(phase: phase, done: done, total: total, unit: unit))
  }
}

/// The counters of the store when a verification begins. What has come since is for the next one.
struct VerificationStart {
  let nextID: Int64
  let stamp: UInt64
  /// The committed ends of all packs.
  let ends: [PackNumber: Int64]
  let active: Int64

  init(_ database: Database) throws(StoreError) {
    let state = try StoreState(database)
    nextID = state.nextID
    stamp = state.stamp
    active = state.pack.segment
    ends = try database.committedPacks()
  }
}
