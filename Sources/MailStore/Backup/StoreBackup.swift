import Bytes
import MessageFormat
import SQLite

package struct BackupOptions: Sendable {
  /// Looks at all of the backup when it is done, as `store verify` does.
  package var verifies: Bool
  /// How many octets a second are copied; nil for as many as go.
  package var octetsPerSecond: Int64?
  /// For the note in the backup: of the program, and of the machine where it is known.
  package var version: String
  package var hostname: String?
  package init(
    verifies: Bool = false, octetsPerSecond: Int64? = nil, version: String = "", hostname: String? = nil
  ) {
    self.verifies = verifies
    self.octetsPerSecond = octetsPerSecond
    self.version = version
    self.hostname = hostname
  }
}

/// What a backup has, and what it took.
package struct BackupReport: Codable, Hashable, Sendable {
  package var directory: String
  package var accounts: Int64 = 0
  package var mailboxes: Int64 = 0
  /// Messages in mailboxes.
  package var messages: Int64 = 0
  package var packs: Int64 = 0
  package var largeFiles: Int64 = 0
  /// Of packs and large files in the backup.
  package var octets: Int64 = 0
  /// Of packs and large files that this run had to copy.
  package var copiedOctets: Int64 = 0
  package var databaseOctets: Int64 = 0
  package var seconds: Double = 0
  /// What of the octets copied is damaged in the store itself, in words; at most a hundred.
  package var damages: [String] = []
  /// Where all of the backup was looked at.
  package var verification: VerificationReport?

  package var isSound: Bool { damages.isEmpty && verification?.hasDamage != true }
}

/// Copies a store that is being written to. Blocks, so it has a thread of its own.
///
/// First `store.db` from one state of it; then what this state names of packs and large files, which never changes: of
/// packs only what the backup does not have yet. The copy of `store.db` takes its place last, so that a backup that was
/// interrupted is the one before, with some octets more.
struct StoreBackup {
  let source: StoreLayout
  let files: FileAccess
  let holds: FileHolds
  let target: BackupDirectory
  let options: BackupOptions
  let time: Int64
  let isCancelled: @Sendable () -> Bool
  let progress: ProgressHandler

  private var report: BackupReport
  private var rate: ReadingRate
  private var done: Int64 = 0
  private var total: Int64 = 0

  private static let damageLimit = 100

  /// - Throws: `inputOutput` where the path is not absolute, or lies in the store.
  init(
    source: StoreLayout, files: FileAccess, holds: FileHolds, to directory: String, options: BackupOptions, time: Int64,
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping ProgressHandler
  ) throws(StoreError) {
    guard let path = FileAccess.canonicalPath(directory) else {
      throw .inputOutput("\(directory) is not an absolute path")
    }
    let root = FileAccess.canonicalPath(source.root) ?? source.root
    guard path != root, !path.hasPrefix(root + "/") else {
      throw .inputOutput("\(path) lies in the data directory, which a backup must outlive")
    }
    self.source = source
    self.files = files
    self.holds = holds
    target = BackupDirectory(path, files: files)
    self.options = options
    self.time = time
    self.isCancelled = isCancelled
    self.progress = progress
    report = BackupReport(directory: path)
    rate = ReadingRate(octetsPerSecond: options.octetsPerSecond)
  }

  mutating func run() throws(StoreError) -> BackupReport {
    let begin = ContinuousClock.now
    try target.prepare()
    let lock = try target.lock()
    defer { lock.release() }
    do throws(StoreError) {
      try removeUnfinished()
      let holds = holds
      var step = self
      try holds.holding { () throws(StoreError) in try step.copyAll() }
      self = step
    } catch {
      // The space is needed by others where the device is full.
      try? removeUnfinished()
      throw error
    }
    if options.verifies {
      let database = try open(target.layout.database)
      var verifier = StoreVerifier(
        database: database, layout: target.layout, files: files,
        options: VerificationOptions(isThorough: true, octetsPerSecond: options.octetsPerSecond),
        isCancelled: isCancelled, progress: progress)
      report.verification = try verifier.run()
    }
    let time = (ContinuousClock.now - begin).components
    report.seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
    return report
  }

  private mutating func copyAll() throws(StoreError) {
    let database = try copyDatabase()
    let state = try VerificationStart(database)
    let known = target.committedEnds()
    var packs: [(number: PackNumber, range: Range<Int64>)] = []
    for (number, end) in state.ends.sorted(by: { $0.key < $1.key }) where end > 0 {
      report.packs += 1
      report.octets += end
      let start = startOfCopy(number, end: end, known: known[number])
      if start < end { packs.append((number, start..<end)) }
    }
    var large: [StoredBody] = []
    try database.each("SELECT id, pack, position, size, checksum FROM bodies WHERE pack IS NULL ORDER BY id") {
      large.append(StoredBody($0))
    }
    report.largeFiles = Int64(large.count)
    report.octets += large.reduce(0) { $0 + $1.size }
    // IDs are never given twice, so a file of the right length is the right one.
    let missing = large.filter { files.size(of: target.layout.large($0.id)) != $0.size }
    total = packs.reduce(0) { $0 + Int64($1.range.count) } + missing.reduce(0) { $0 + $1.size }

    for (number, range) in packs { try copyPack(number, range, stamp: state.stamp) }
    for body in missing { try copyLarge(body) }
    do throws(FileError) {
      try files.flushDirectory(target.layout.packs)
      try files.flushDirectory(target.layout.large)
      try files.rename(target.layout.newDatabase, to: target.layout.database)
      try files.flushDirectory(target.layout.root)
    } catch {
      throw error.storeError
    }
    report.copiedOctets = done
    try count(database)
    try removeUnnamed(packs: Set(state.ends.keys), large: Set(large.map(\.id)))
    try target.write(report, options, time: time)
  }

  // MARK: store.db

  private mutating func copyDatabase() throws(StoreError) -> Database {
    progress(OperationProgress(phase: "copying store.db", done: 0, total: nil, unit: .steps))
    let path = target.layout.newDatabase
    do throws(FileError) { _ = try File(path, .creating, access: files) } catch { throw error.storeError }
    do throws(SQLiteError) {
      // A connection that may only read may not copy either.
      try files.openDatabase(source.database, .writing).copy(to: path)
    } catch {
      throw StoreError(error)
    }
    do throws(FileError) {
      let file = try File(path, .writing, access: files)
      try file.flush()
      report.databaseOctets = file.size
    } catch {
      throw error.storeError
    }
    return try open(path)
  }

  private func open(_ path: String) throws(StoreError) -> Database {
    do throws(SQLiteError) { return try files.openDatabase(path, .reading) } catch { throw StoreError(error) }
  }

  private mutating func count(_ database: Database) throws(StoreError) {
    let counts = try database.one(
      "SELECT (SELECT count(*) FROM accounts), count(*), ifnull(sum(messages), 0) FROM mailboxes"
    ) { ($0.integer(0), $0.integer(1), $0.integer(2)) }
    if let counts { (report.accounts, report.mailboxes, report.messages) = counts }
  }

  // MARK: Packs and large files

  /// From where on a pack must be copied.
  /// - Parameter known: how far it goes by the backup's `store.db`. What is beyond may not have been flushed.
  private func startOfCopy(_ number: PackNumber, end: Int64, known: Int64?) -> Int64 {
    let (ours, theirs) = (target.layout.pack(number), source.pack(number))
    // Without a word of it, only a whole one counts: it got its name after it was flushed.
    let isWhole = known == nil && files.size(of: ours) == end
    let start = known ?? (isWhole ? end : 0)
    // After a restore or a repair the store's packs may be others under the same numbers.
    return start > 0 && start <= end && files.ends(of: ours, at: start, equalThoseOf: theirs) ? start : 0
  }

  private mutating func copyPack(_ number: PackNumber, _ range: Range<Int64>, stamp: UInt64) throws(StoreError) {
    let final = target.layout.pack(number)
    let path = range.lowerBound > 0 ? final : final + ".new"
    try copy(source.pack(number), to: path, range)
    try check(path, as: source.pack(number), range, stamp: stamp)
    if path != final { try rename(path, to: final) }
  }

  private mutating func copyLarge(_ body: StoredBody) throws(StoreError) {
    let final = target.layout.large(body.id)
    let path = final + ".new"
    try copy(source.large(body.id), to: path, 0..<body.size)
    var sum: UInt32 = 0
    do throws(FileError) {
      sum = try File(path, .reading, access: files).withMapping(size: Int(body.size)) { crc32c($0) }
    } catch {
      throw error.storeError
    }
    if sum != body.checksum { damaged("\(source.large(body.id)) is damaged") }
    try rename(path, to: final)
  }

  private mutating func copy(_ path: String, to newPath: String, _ range: Range<Int64>) throws(StoreError) {
    var step = self
    defer { self = step }
    try files.copy(path, to: newPath, range) { (count) throws(StoreError) in
      if step.isCancelled() { throw .closed }
      step.rate.spend(Int64(count))
      step.done += Int64(count)
      step.progress(OperationProgress(phase: "copying mail", done: step.done, total: step.total, unit: .octets))
    }
  }

  private func rename(_ path: String, to newPath: String) throws(StoreError) {
    do throws(FileError) { try files.rename(path, to: newPath) } catch { throw error.storeError }
  }

  /// Reads back what was copied, record by record.
  private mutating func check(
    _ path: String, as original: String, _ range: Range<Int64>, stamp: UInt64
  ) throws(StoreError) {
    let file: File
    do throws(FileError) { file = try File(path, .reading, access: files) } catch { throw error.storeError }
    var scanner = PackScanner(
      file, from: range.lowerBound, end: range.upperBound, stamp: PackScanner.isStamped(file) ? stamp : nil)
    while let item = scanner.next() {
      if isCancelled() { throw .closed }
      switch item {
      case .damaged(let octets):
        damaged("\(original): no record can be read from \(octets.lowerBound) to \(octets.upperBound)")
      case .record(let record):
        switch record.body {
        case .none, .intact: break
        case .damaged, .cutOff: damaged("\(original): the body at \(record.bodyPosition) is damaged")
        }
      }
    }
  }

  private mutating func damaged(_ text: String) {
    if report.damages.count < Self.damageLimit { report.damages.append(text) }
  }

  // MARK: Removing

  private func removeUnfinished() throws(StoreError) {
    files.remove(target.layout.newDatabase)
    files.remove(target.layout.newDatabase + "-journal")
    for directory in [target.layout.packs, target.layout.large] { try remove(from: directory) { $0.hasSuffix(".new") } }
  }

  private func removeUnnamed(packs: Set<PackNumber>, large: Set<Int64>) throws(StoreError) {
    let layout = target.layout
    try remove(from: layout.packs) { name in layout.number(ofPackNamed: name).map { !packs.contains($0) } ?? true }
    try remove(from: layout.large) { name in Int64(name).map { !large.contains($0) } ?? true }
  }

  private func remove(from directory: String, _ isUnwanted: (String) -> Bool) throws(StoreError) {
    do throws(FileError) {
      for name in try files.names(in: directory) where isUnwanted(name) { files.remove("\(directory)/\(name)") }
    } catch {
      throw error.storeError
    }
  }
}
