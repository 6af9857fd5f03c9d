import Logging
import SQLite

/// Puts right what a crash left behind: bodies whose commit never came, a repair that did not come to its end. What was
/// committed is never touched; `TailReplay` has brought it into `store.db` before.
struct Recovery {
  let layout: StoreLayout
  let files: FileAccess
  let logger: Logger

  /// Returns the writer of the active pack.
  func run(_ database: Database, nextID: Int64, stamp: UInt64, packSize: Int64) throws(StoreError) -> PackWriter {
    try removePurgedLargeBodies(database)
    try removeSupersededPacks(database)
    do throws(FileError) {
      for name in try files.names(in: layout.spool) { files.remove("\(layout.spool)/\(name)") }
      try removeUnnamedLargeBodies(nextID: nextID)
      files.remove(layout.newDatabase)
    } catch {
      throw error.storeError
    }
    let last = try database.one("SELECT value FROM state WHERE name = 'pack'") { $0.integer(0) }
    let length = try database.one("SELECT value FROM state WHERE name = 'pack_end'") { $0.integer(0) }
    do throws(FileError) {
      let start = try cutTail(last: last ?? 0, length: length ?? 0, stamp: stamp)
      return PackWriter(
        layout: layout, files: files, segment: start.segment, committedEnd: start.end,
        previous: PackPosition(segment: last ?? 0, offset: length ?? 0), stamp: stamp, segmentLimit: packSize)
    } catch {
      throw error.storeError
    }
  }

  /// IDs are given in ascending order, so a large body from `nextID` on belongs to a group that was not committed.
  private func removeUnnamedLargeBodies(nextID: Int64) throws(FileError) {
    let unnamed = try files.names(in: layout.large).compactMap { Int64($0) }.filter { $0 >= nextID }
    guard !unnamed.isEmpty else { return }
    for id in unnamed { files.remove(layout.large(id)) }
    // Their IDs are about to be given to others; after a power cut nobody could tell.
    try files.flushDirectory(layout.large)
  }

  private func removePurgedLargeBodies(_ database: Database) throws(StoreError) {
    var purged: [Int64] = []
    try database.each("SELECT body FROM purged_large") { purged.append($0.integer(0)) }
    guard !purged.isEmpty else { return }
    for body in purged { files.remove(layout.large(body)) }
    do throws(FileError) { try files.flushDirectory(layout.large) } catch { throw error.storeError }
    try database.change("DELETE FROM purged_large")
  }

  /// What a compaction left that did not come to its end.
  private func removeSupersededPacks(_ database: Database) throws(StoreError) {
    let named = try database.committedPacks()
    do throws(FileError) {
      let superseded = SupersededPacks(
        files: try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:)), named: named)
      guard !superseded.numbers.isEmpty else { return }
      for number in superseded.numbers { files.remove(layout.pack(number)) }
      try files.flushDirectory(layout.packs)
    } catch {
      throw error.storeError
    }
  }

  private func cutTail(last: Int64, length: Int64, stamp: UInt64) throws(FileError) -> (segment: Int64, end: Int64) {
    let numbers = try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:))
    var next = last
    var hasRemoved = false
    for number in numbers where number.place > last {
      let file = try File(layout.pack(number), .reading, access: files)
      let size = file.size
      let isBegunAfterLast =
        number == PackNumber(last + 1) || size == 0
        || PackBeginning(of: file, stamp: stamp)?.previous == PackPosition(segment: last, offset: length)
        // Not even what it begins with has reached the disk. A group is flushed as a whole, so nothing behind it was
        // acknowledged.
        || PackScanner.first(of: file) == nil
      if isBegunAfterLast, size <= TailReplay.limit {
        // The first group of a new pack did not come to its commit; nor did those that tried it after that, each with
        // a pack of its own.
        files.remove(layout.pack(number))
        hasRemoved = true
      } else {
        logger.warning("store_unknown_pack", metadata: ["pack": "\(number)", "octets": "\(size)"])
        next = max(next, number.place)
      }
    }
    // After a power cut such a pack would say that what is about to come into the last never was.
    if hasRemoved { try files.flushDirectory(layout.packs) }
    let active = layout.pack(PackNumber(last))
    guard last > 0, next == last else { return (next + 1, 0) }
    guard files.exists(active) else {
      logger.critical("store_pack_missing", metadata: ["pack": "\(last)"])
      return (last + 1, 0)
    }
    let file = try File(active, .writing, access: files)
    let tail = file.size - length
    if tail == 0 { return (last, length) }
    if tail < 0 || tail > TailReplay.limit {
      logger.critical(
        "store_pack_length", metadata: ["pack": "\(last)", "octets": "\(file.size)", "expected": "\(length)"])
      return (last + 1, 0)
    }
    try file.truncate(to: length)
    try file.flush()
    logger.notice("store_tail_removed", metadata: ["pack": "\(last)", "octets": "\(tail)"])
    return (last, length)
  }
}

extension PackBeginning {
  /// Of a pack as it was written; nil where it cannot be read.
  init?(of file: File, stamp: UInt64) {
    let first = PackScanner.first(of: file, end: Int64(PackRecord.beginningSize))
    guard let first, first.stamp == stamp, case .beginning(let beginning) = first.metadata else { return nil }
    self = beginning
  }
}
