import MessageFormat
import SQLite

/// Rebuilds `store.db` from the packs. Holds the store's lock from the first look to the end, and changes nothing
/// before it is told to.
package struct StoreRepair: Sendable {
  package let plan: RepairPlan
  private let work: RepairWork
  private let pool: WorkerPool<Void>

  /// Looks at everything, and builds the new `store.db` beside the old one.
  ///
  /// Throws `locked` where a server has the store, `corrupt` where there is nothing to rebuild from.
  package static func prepare(
    at directory: String, options: StoreOptions = StoreOptions(), progress: @escaping ProgressHandler = { _ in }
  ) async throws(StoreError) -> StoreRepair {
    let pool = WorkerPool<Void>(threads: 1) { () }
    let result: Result<StoreRepair, StoreError> = await pool.run { _ in
      do throws(StoreError) {
        let work = try RepairWork(directory, options)
        return .success(StoreRepair(plan: try work.prepare(progress), work: work, pool: pool))
      } catch {
        return .failure(error)
      }
    }
    if case .failure = result { pool.requestStop() }
    return try result.get()
  }

  /// Does what the plan says. The old `store.db` is kept under the plan's name.
  package func perform(progress: @escaping ProgressHandler = { _ in }) async throws(StoreError) {
    let work = work
    let result: Result<Void, StoreError> = await pool.run { _ in
      do throws(StoreError) {
        return .success(try work.perform(progress))
      } catch {
        return .failure(error)
      }
    }
    await pool.stop()
    try result.get()
  }

  /// Leaves everything as it is.
  package func cancel() async {
    let work = work
    await pool.run { _ in work.cancel() }
    await pool.stop()
  }
}

/// The repair itself. Used by one thread at a time.
final class RepairWork: @unchecked Sendable {
  private let layout: StoreLayout
  private let files: FileAccess
  private let clock: WallClock
  private let lock: StoreLock
  private var built: Built?
  private var keptAs: String?

  /// A new database that is ready but for what will be written at the end.
  private struct Built {
    var replay: HistoryReplay
    var settlement: Settlement
    var chain: PackChain
    var stamp: UInt64
    /// Bodies that are whole in a record that is not.
    var rescued: [Int64]
    /// The packs do not say it all by themselves.
    var needsBaseline: Bool
    var source: RepairPlan.Source
  }

  /// A change record has at least this many octets for a UID that it gives.
  private static let octetsOfEntry: Int64 = 5
  /// UIDs stepped over where nobody knows how much is lost.
  private static let unknownSlack: Int64 = 1 << 20

  init(_ directory: String, _ options: StoreOptions) throws(StoreError) {
    layout = StoreLayout(root: directory)
    files = FileAccess(fault: options.fault)
    clock = options.clock
    guard files.exists(layout.packs) else { throw .corrupt("there is no store in \(directory)") }
    lock = try StoreLock(layout.lock, files: files)
  }

  // MARK: Preparing

  func prepare(_ progress: ProgressHandler) throws(StoreError) -> RepairPlan {
    do throws(StoreError) {
      return try plan(progress)
    } catch {
      cancel()
      throw error
    }
  }

  private func plan(_ progress: ProgressHandler) throws(StoreError) -> RepairPlan {
    progress(OperationProgress(phase: "reading store.db", done: 0, total: nil, unit: .steps))
    var old = OldDatabase(layout, files)
    if case .foreign(let version) = old {
      guard version < Schema.migrations.count else { throw .newerSchema(version) }
      // Its packs do not tell all, so it must not be left out.
      throw .corrupt("store.db is whole, and of an older version: have it opened first, by martlet store verify")
    }
    var chain = try packChain(old.sound)
    if let sound = old.sound, let other = chain.stamp, sound.stamp != other {
      old = .unusable("it belongs to other packs")
      chain = try packChain(nil)
    }
    guard !chain.links.isEmpty || old.sound != nil else { throw .corrupt("there are no packs to rebuild from") }

    var built = try build(chain, base: nil, old, progress)
    var differences: StoreDifferences?
    if let sound = old.sound {
      differences = try compare(sound, built)
      // What the packs do not tell, a sound store.db does. Where it knows of something that they do not say to be gone,
      // they have not told all either.
      if built.source != .packs || differences?.hasUnexplained == true {
        built = try build(chain, base: sound, old, progress)
        differences = try compare(sound, built)
      }
    }
    self.built = built
    return plan(built, old, differences?.found)
  }

  private func packChain(_ old: SoundDatabase?) throws(StoreError) -> PackChain {
    do throws(FileError) {
      return try PackChain(layout, files, known: old?.ends ?? [:])
    } catch {
      throw error.storeError
    }
  }

  private func build(
    _ chain: PackChain, base: SoundDatabase?, _ old: OldDatabase, _ progress: ProgressHandler
  ) throws(StoreError) -> Built {
    built = nil
    files.remove(layout.newDatabase)
    let database: Database
    do throws(FileError) {
      // SQLite would let others read it.
      _ = try File(layout.newDatabase, .creating, access: files)
    } catch {
      throw error.storeError
    }
    do throws(SQLiteError) {
      database = try files.openDatabase(layout.newDatabase, .building)
      _ = try database.migrate(Schema.migrations)
      try database.begin()
    } catch {
      throw StoreError(error)
    }
    let state = try StoreState(database)
    let replay = HistoryReplay(
      database: database, layout: layout, files: files, base: base?.end,
      threadKey: base?.threadKey ?? state.threadKey, gaps: chain.gaps)
    if let base { try replay.load(base) }
    do throws(FileError) {
      // A file whose record is lost stays for a person to look at: its ID is not given again.
      for name in try files.names(in: layout.large) { Int64(name).map(replay.meet(id:)) }
    } catch {
      throw error.storeError
    }
    var done: Int64 = 0
    let total = chain.octets
    for link in chain.links {
      try replay.read(link) {
        progress(OperationProgress(phase: "reading packs", done: done + $0, total: total, unit: .octets))
      }
      done += link.end
    }
    progress(OperationProgress(phase: "putting together store.db", done: 0, total: nil, unit: .steps))
    let rescued = base == nil ? [] : try replay.checkBodies()
    let unknown = replay.gaps.gaps.filter { gap in base.map { gap.start >= $0.end } ?? true }
    let slack = unknown.reduce(0) { $0 + ($1.octets.map { $0 / Self.octetsOfEntry + 1 } ?? Self.unknownSlack) }
    var settlement = Settlement(replay, now: clock.now(), slack: slack)
    try settlement.run()
    if let sound = old.sound { try replay.copySentMail(from: sound) }
    let isWhole = base == nil && replay.gaps.isEmpty
    return Built(
      replay: replay, settlement: settlement, chain: chain,
      stamp: chain.stamp ?? old.sound?.stamp ?? state.stamp, rescued: rescued,
      needsBaseline: !isWhole || settlement.hasChanged || !chain.strangers.isEmpty
        || !chain.replacements.isEmpty,
      source: base != nil ? .database : isWhole ? .packs : .remains)
  }

  private func compare(_ old: SoundDatabase, _ built: Built) throws(StoreError) -> StoreDifferences {
    try StoreDifferences(old: old.database, new: built.replay.database, removed: built.replay.directory)
  }

  private func plan(_ built: Built, _ old: OldDatabase, _ differences: RepairPlan.Differences?) -> RepairPlan {
    let database = built.replay.database
    func count(_ sql: StaticString) -> Int64 { (try? database.one(sql) { $0.integer(0) }).flatMap { $0 } ?? 0 }
    let problem: String? =
      switch old {
      case .missing: "store.db is missing"
      case .unusable(let text): "store.db cannot be used: \(text)"
      case .sound, .foreign: nil
      }
    let isNeeded = problem != nil || built.needsBaseline || differences?.isEmpty != true
    if isNeeded, old.isThere { keptAs = newName() }
    var notes = built.chain.strangers.map { "\($0); it is left out" } + built.chain.replacements
    notes += built.settlement.notes
    if !built.rescued.isEmpty {
      notes.append("bodies that are whole in records that are not, and are written anew: \(built.rescued.count)")
    }
    for name in unnamedLargeBodies(built) {
      notes.append("large/\(name) is the body of a message of which nothing else is known; it stays where it is")
    }
    let gaps = built.chain.gaps.gaps.map(\.text)
    return RepairPlan(
      databaseProblem: problem, source: built.source, packs: built.chain.links.count,
      packOctets: built.chain.octets, accounts: Int(count("SELECT count(*) FROM accounts")),
      mailboxes: count("SELECT count(*) FROM mailboxes"), messages: count("SELECT count(*) FROM entries"),
      damages: built.source == .packs
        ? [] : Array((gaps + built.replay.damages).prefix(RepairPlan.listLimit)), notes: notes,
      lost: built.settlement.lost, lostCount: built.settlement.lostCount,
      lostDeletedCount: differences?.deletedNotFound ?? built.settlement.lostDeletedCount, differences: differences,
      isNeeded: isNeeded, keptAs: keptAs)
  }

  /// For the old store.db; no older one is overwritten.
  private func newName() -> String {
    let name = "store.db.damaged-\(clock.now().compact)"
    var number = 1
    while files.exists("\(layout.root)/\(name)\(number == 1 ? "" : "-\(number)")") { number += 1 }
    return number == 1 ? name : "\(name)-\(number)"
  }

  private func unnamedLargeBodies(_ built: Built) -> [Int64] {
    let names = (try? files.names(in: layout.large)) ?? []
    return names.compactMap { Int64($0) }.sorted().filter { id in
      built.replay.lost[id] == nil
        && (try? built.replay.database.one(
          "SELECT 1 FROM bodies WHERE id = ?1 UNION ALL SELECT 1 FROM purged_large WHERE body = ?1", .integer(id)
        ) { _ in true }) == nil
    }
  }

  // MARK: Performing

  func perform(_ progress: ProgressHandler) throws(StoreError) {
    guard let built else { throw .closed }
    defer { cancel() }
    progress(OperationProgress(phase: "writing store.db", done: 0, total: nil, unit: .steps))
    try finish(built)
    self.built = nil
    do throws(FileError) {
      try File(layout.newDatabase, .writing, access: files).flush()
      if let keptAs {
        for suffix in ["", "-wal", "-shm"] where files.exists(layout.database + suffix) {
          try files.rename(layout.database + suffix, to: "\(layout.root)/\(keptAs)\(suffix)")
        }
      }
      // It goes by the IDs of messages, and some may be others now.
      files.removeDatabase(layout.searchIndex)
      // From here to the next line there is no store.db: the store refuses to open, and the repair begins anew.
      try files.rename(layout.newDatabase, to: layout.database)
      try files.flushDirectory(layout.root)
    } catch {
      throw error.storeError
    }
  }

  /// Tells the packs what they do not know, and the database where they end.
  private func finish(_ built: Built) throws(StoreError) {
    let database = built.replay.database
    var ends = built.chain.links.map { (number: $0.number, end: $0.end) }
    if built.needsBaseline {
      let last = built.chain.links.last
      let packs = PackWriter(
        layout: layout, files: files, segment: built.chain.lastSegment + 1, committedEnd: 0,
        previous: PackPosition(segment: last?.number.place ?? 0, offset: last?.writtenEnd ?? 0), stamp: built.stamp,
        segmentLimit: .max)
      packs.beginGroup()
      try RescuedBody.write(built.rescued, to: packs, database, layout, files)
      let start = PackPosition(segment: packs.segment, offset: packs.newEnd)
      try Baseline(database: database).write(from: start) { (changes) throws(StoreError) in
        do throws(FileError) {
          try packs.append(PackRecord.encode(changes: changes, stamp: built.stamp))
        } catch {
          throw error.storeError
        }
      }
      do throws(FileError) { try packs.flush() } catch { throw error.storeError }
      packs.commitGroup()
      ends.append((PackNumber(packs.segment), packs.committedEnd))
    }
    try writeState(ends, built)
    do throws(SQLiteError) { try database.commit() } catch { throw StoreError(error) }
  }

  private func writeState(_ ends: [(number: PackNumber, end: Int64)], _ built: Built) throws(StoreError) {
    let database = built.replay.database
    for (number, end) in ends.dropLast() {
      try database.change(
        "INSERT INTO sealed_packs (id, length) VALUES (?, ?)", .integer(number.rawValue), .integer(end))
    }
    if let last = ends.last {
      try database.change("UPDATE state SET value = ? WHERE name = 'pack'", .integer(last.number.place))
      try database.change("UPDATE state SET value = ? WHERE name = 'pack_end'", .integer(last.end))
    }
    try database.setDeadOctets(built.replay.bodyOctets)
    try database.change(
      "UPDATE state SET value = ? WHERE name = 'thread_key'", .integer(Int64(bitPattern: built.replay.threadKey)))
    try database.change(
      "UPDATE state SET value = ? WHERE name = 'pack_stamp'", .integer(Int64(bitPattern: built.stamp)))
    try database.change("UPDATE state SET value = 1 WHERE name = 'packs_tell_all'")
  }

  func cancel() {
    built = nil
    files.remove(layout.newDatabase)
    lock.release()
  }
}

extension Timestamp {
  /// ISO 8601 in UTC without separators, for names of files: `20240517T081530Z`.
  fileprivate var compact: String { rfc3339.filter { $0 != "-" && $0 != ":" } }
}
