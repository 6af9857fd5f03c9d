import SQLite
import Synchronization

package struct CompactionOptions: Sendable {
  /// Packs are compacted of which at least this part is bodies that no message has any more, from 1 to 100.
  package var deadPercent: Int64
  /// How many octets a second are read and written together; nil for as many as go.
  package var octetsPerSecond: Int64?

  package init(deadPercent: Int64 = 50, octetsPerSecond: Int64? = nil) {
    self.deadPercent = deadPercent
    self.octetsPerSecond = octetsPerSecond
  }
}

/// What a compaction has done. Octets throughout.
package struct CompactionReport: Codable, Hashable, Sendable {
  package struct Unfit: Codable, Hashable, Sendable {
    package var pack: String
    /// In words.
    package var reason: String
  }

  /// Packs that were written anew.
  package var packs: Int64 = 0
  package var octetsBefore: Int64 = 0
  package var octetsAfter: Int64 = 0
  /// Packs that would have been worth it, and must stay as they are.
  package var unfit: [Unfit] = []
  /// Of packs that are not named any more, and stay until the backup is done that is being made.
  package var heldOctets: Int64 = 0
  package var seconds: Double = 0

  package var savedOctets: Int64 { octetsBefore - octetsAfter }
}

/// One compaction at a time, and none that outlives the store: its file would come into one that others have open.
final class CompactionTurn: Sendable {
  private struct State {
    var isTaken = false
    var isOver = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// The store is being closed.
  var isOver: Bool { state.withLock { $0.isOver } }

  func take() throws(StoreError) {
    let failure: StoreError? = state.withLock { state in
      if state.isOver { return .closed }
      if state.isTaken { return .inputOutput("the store is being compacted already") }
      state.isTaken = true
      return nil
    }
    if let failure { throw failure }
  }

  func giveBack() {
    let waiters = state.withLock { state in
      state.isTaken = false
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Asks the one that is at work to stop, and waits for it.
  func end() async {
    await withCheckedContinuation { continuation in
      let isDone = state.withLock { state in
        state.isOver = true
        if state.isTaken { state.waiters.append(continuation) }
        return !state.isTaken
      }
      if isDone { continuation.resume() }
    }
  }
}

extension SQLiteEngine {
  /// Writes the packs anew that are mostly bodies nobody needs any more, one after the other. Each takes as much room as
  /// what is left in it, until the old one is removed.
  ///
  /// First the new pack is on the disk, then a commit names it instead of the old one, then that is removed. What was
  /// begun when it is stopped, or crashes, costs the space of a pack until the next run or start.
  package func compact(
    _ options: CompactionOptions, progress: @escaping ProgressHandler
  ) async throws(StoreError) -> CompactionReport {
    try compactionTurn.take()
    defer { compactionTurn.giveBack() }
    let begin = ContinuousClock.now
    var report = CompactionReport()
    _ = try await removeSupersededPacks()
    let packs = try await reading { (database) throws(StoreError) in
      try database.packsToCompact(deadPercent: options.deadPercent)
    }
    let total = packs.reduce(0) { $0 + $1.length }
    var done: Int64 = 0
    for pack in packs {
      let before = done
      let outcome = try await write(pack, options) {
        progress(OperationProgress(phase: "compacting packs", done: before + $0, total: total, unit: .octets))
      }
      done += pack.length
      switch outcome {
      case .written(let compacted):
        do throws(StoreError) {
          try await writer.run { (context) throws(StoreError) in try context.adopt(compacted) }
        } catch {
          // Its own error is the one to be told.
          _ = try? await removeSupersededPacks()
          throw error
        }
        report.packs += 1
        report.octetsBefore += pack.length
        report.octetsAfter += compacted.length
        report.heldOctets = try await removeSupersededPacks()
      case .notWorthIt(let deadOctets): try await correct(pack, deadOctets: deadOctets)
      case .unfit(let reason):
        report.unfit.append(CompactionReport.Unfit(pack: "\(pack.number)", reason: reason))
        // So that it is not read again before as much more of it is dead.
        try await correct(pack, deadOctets: 0)
      }
    }
    let time = (ContinuousClock.now - begin).components
    report.seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
    return report
  }

  private func write(
    _ pack: PackToCompact, _ options: CompactionOptions, progress: @escaping @Sendable (Int64) -> Void
  ) async throws(StoreError) -> PackCompaction.Outcome {
    let (layout, files, turn) = (layout, files, compactionTurn)
    let tell: ProgressHandler = { progress($0.done) }
    return try await onOwnThread(tell) { (isCancelled, report) throws(StoreError) in
      let database: Database
      do throws(SQLiteError) {
        database = try files.openDatabase(layout.database, .reading)
      } catch {
        throw StoreError(error)
      }
      var rate = ReadingRate(octetsPerSecond: options.octetsPerSecond)
      var read: Int64 = 0
      var compaction = try PackCompaction(
        pack, deadPercent: options.deadPercent, layout: layout, files: files, database: database,
        isCancelled: { isCancelled() || turn.isOver }
      ) { octets in
        rate.spend(octets)
        read = min(read + octets, pack.length)
        report(OperationProgress(phase: "", done: read, total: nil, unit: .octets))
      }
      return try compaction.run()
    }
  }

  /// Less was dead than was counted; what has become so since stays counted.
  private func correct(_ pack: PackToCompact, deadOctets: Int64) async throws(StoreError) {
    try await writer.run { (context) throws(StoreError) in
      try context.database.change(
        "UPDATE dead_octets SET octets = max(octets - ?, 0) WHERE pack = ?",
        .integer(pack.deadOctets - deadOctets), .integer(pack.number.rawValue))
    }
  }

  /// Removes packs that are not named any more, and returns the octets of those that must stay for a while, because a
  /// backup is being made.
  private func removeSupersededPacks() async throws(StoreError) -> Int64 {
    guard try await !supersededPacks().isEmpty else { return 0 }
    // A commit that failed may turn out to have happened as long as none has come after it.
    try await writer.run { (context) throws(StoreError) in
      try context.database.change("UPDATE state SET value = value WHERE name = 'next_id'")
    }
    let numbers = try await supersededPacks()
    let (layout, files, holds, bodies) = (layout, files, holds, bodies)
    let result: Result<Int64, StoreError> = await filePool.run { _ in
      let paths = numbers.map(layout.pack)
      let isDone = holds.ifNone {
        for path in paths { files.remove(path) }
        bodies.forget(paths)
      }
      guard isDone else { return .success(paths.reduce(0) { $0 + files.size(of: $1) }) }
      do throws(FileError) {
        try files.flushDirectory(layout.packs)
        return .success(0)
      } catch {
        return .failure(error.storeError)
      }
    }
    return try result.get()
  }

  private func supersededPacks() async throws(StoreError) -> [PackNumber] {
    let (layout, files) = (layout, files)
    return try await reading { (database) throws(StoreError) in
      let named = try database.committedPacks()
      do throws(FileError) {
        return SupersededPacks(
          files: try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:)), named: named
        ).numbers
      } catch {
        throw error.storeError
      }
    }
  }
}
