import Logging
import SQLite

/// Puts right what a crash left behind: bodies whose commit never came, a repair that did not come to its end. What was
/// committed is never touched.
struct Recovery {
  let layout: StoreLayout
  let files: FileAccess
  let logger: Logger

  /// A group is never bigger than this; a longer tail has another cause, and is left for a person to look at.
  private static let tailLimit: Int64 = 256 << 20

  /// Returns the writer of the active pack.
  func run(_ database: Database, nextID: Int64, stamp: UInt64, packSize: Int64) throws(StoreError) -> PackWriter {
    try removePurgedLargeBodies(database)
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
      let start = try cutTail(last: last ?? 0, length: length ?? 0)
      return PackWriter(
        layout: layout, files: files, segment: start.segment, committedEnd: start.end,
        previous: PackPosition(segment: last ?? 0, offset: length ?? 0), stamp: stamp, segmentLimit: packSize)
    } catch {
      throw error.storeError
    }
  }

  /// IDs are given in ascending order, so a large body from `nextID` on belongs to a group that was not committed.
  private func removeUnnamedLargeBodies(nextID: Int64) throws(FileError) {
    for name in try files.names(in: layout.large) {
      if let id = Int64(name), id >= nextID { files.remove(layout.large(id)) }
    }
  }

  private func removePurgedLargeBodies(_ database: Database) throws(StoreError) {
    var purged: [Int64] = []
    try database.each("SELECT body FROM purged_large") { purged.append($0.integer(0)) }
    guard !purged.isEmpty else { return }
    for body in purged { files.remove(layout.large(body)) }
    do throws(FileError) { try files.flushDirectory(layout.large) } catch { throw error.storeError }
    try database.change("DELETE FROM purged_large")
  }

  private func cutTail(last: Int64, length: Int64) throws(FileError) -> (segment: Int64, end: Int64) {
    let segments = try files.names(in: layout.packs).compactMap(layout.segment(ofPackNamed:))
    var next = last
    for segment in segments where segment > last {
      let size = try File(layout.pack(segment), .reading, access: files).size
      if segment == last + 1, size <= Self.tailLimit {
        // The first group of a new pack did not come to its commit.
        files.remove(layout.pack(segment))
      } else {
        logger.warning("store_unknown_pack", metadata: ["pack": "\(segment)", "octets": "\(size)"])
        next = max(next, segment)
      }
    }
    guard last > 0, next == last else { return (next + 1, 0) }
    guard files.exists(layout.pack(last)) else {
      logger.critical("store_pack_missing", metadata: ["pack": "\(last)"])
      return (last + 1, 0)
    }
    let file = try File(layout.pack(last), .writing, access: files)
    let tail = file.size - length
    if tail == 0 { return (last, length) }
    if tail < 0 || tail > Self.tailLimit {
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
