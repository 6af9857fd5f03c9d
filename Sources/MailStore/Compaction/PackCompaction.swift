import SQLite

/// Writes a sealed pack anew, without the bodies that no message has any more. Blocks, and changes nothing that is there.
///
/// All else stays as it is and in its order, so that the history can be read along the new pack as along the old: change
/// records, and of the bodies that are gone what their records say of mailboxes and UIDs. The trace fields of messages
/// that are gone are left out.
struct PackCompaction {
  enum Outcome: Sendable {
    case written(CompactedPack)
    /// Less is dead in it than was counted.
    case notWorthIt(deadOctets: Int64)
    /// It stays as it is, for a reason in words.
    case unfit(String)
  }

  let pack: PackToCompact
  /// A smaller part of it that is dead is not worth the work.
  let deadPercent: Int64
  let layout: StoreLayout
  let files: FileAccess
  let database: Database
  let stamp: UInt64
  let isCancelled: @Sendable () -> Bool
  /// Told of the octets of each record that was read or written.
  let spend: (Int64) -> Void

  private var beginning: PackBeginning?
  private var moves: [CompactedPack.Move] = []
  private var deadOctets: Int64 = 0
  /// Records that are not written yet, and where the first of them will stand.
  private var buffer: [UInt8] = []
  private var bufferStart = Int64(PackRecord.compactedBeginningSize)

  private static let bufferLimit = 1 << 20

  init(
    _ pack: PackToCompact, deadPercent: Int64, layout: StoreLayout, files: FileAccess, database: Database,
    isCancelled: @escaping @Sendable () -> Bool, spend: @escaping (Int64) -> Void
  ) throws(StoreError) {
    self.pack = pack
    self.deadPercent = deadPercent
    self.layout = layout
    self.files = files
    self.database = database
    self.isCancelled = isCancelled
    self.spend = spend
    stamp = try StoreState(database).stamp
  }

  /// Where it is written, the new pack is on the disk under its name, and read back.
  mutating func run() throws(StoreError) -> Outcome {
    defer { files.remove(layout.compacting) }
    let source: File
    let target: File
    do throws(FileError) {
      source = try File(layout.pack(pack.number), .reading, access: files)
      files.remove(layout.compacting)
      target = try File(layout.compacting, .creating, access: files)
    } catch {
      if error.isMissing { return .unfit("it is missing") }
      throw error.storeError
    }
    guard source.size >= pack.length else { return .unfit("it is cut off") }
    guard PackScanner.isStamped(source) else { return .unfit("it was written by a version of before change records") }
    if let reason = try copy(source, to: target) { return .unfit(reason) }
    guard deadOctets * 100 >= pack.length * deadPercent else { return .notWorthIt(deadOctets: deadOctets) }
    if isCancelled() { throw .closed }
    let number = try newNumber()
    let length = bufferStart
    do throws(FileError) {
      try writeBeginning(of: number, length: length, to: target)
      try target.flush()
    } catch {
      throw error.storeError
    }
    try check(target, length: length)
    do throws(FileError) {
      try files.rename(layout.compacting, to: layout.pack(number))
      try files.flushDirectory(layout.packs)
    } catch {
      throw error.storeError
    }
    return .written(CompactedPack(old: pack.number, new: number, length: length, moves: moves))
  }

  /// Of a generation that no file has, also not one that a compaction has left that was not committed.
  private func newNumber() throws(StoreError) -> PackNumber {
    do throws(FileError) {
      let numbers = try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:))
      let last = numbers.filter { $0.place == pack.number.place }.map(\.generation).max() ?? 0
      return PackNumber(pack.number.place, generation: max(last, pack.number.generation) + 1)
    } catch {
      throw error.storeError
    }
  }

  // MARK: Copying

  /// Returns why the pack must stay as it is, where it must.
  private mutating func copy(_ source: File, to target: File) throws(StoreError) -> String? {
    var scanner = PackScanner(source, end: pack.length, stamp: stamp)
    while let item = scanner.next() {
      if isCancelled() { throw .closed }
      guard case .record(let record) = item else { return "a part of it cannot be read" }
      spend(record.end - record.position)
      switch record.metadata {
      case .beginning(let beginning):
        guard record.position == 0 else { return "it begins twice" }
        self.beginning = beginning
      case .groupEnd:
        // Said once and for all: the pack is sealed.
        break
      case .changes(let changes):
        // It is named by the offset at which it began.
        if changes.contains(where: \.isOfBaseline) { return "it has a baseline" }
        append(record, &scanner)
      case .placements(let placements):
        switch try fate(of: record) {
        case .kept:
          guard record.header.kind != .body || record.body == .intact else { return "a body in it is damaged" }
          if record.header.kind == .body {
            let headerSize = record.bodyPosition - record.position
            moves.append(
              CompactedPack.Move(
                body: record.header.bodyID, from: record.bodyPosition,
                to: bufferStart + Int64(buffer.count) + headerSize, size: Int64(record.header.bodySize)))
          }
          append(record, &scanner)
        case .dropped:
          if record.header.kind == .body { deadOctets += Int64(record.header.bodySize) }
          buffer += PackRecord.encode(
            kind: .goneBody, bodyID: record.header.bodyID, bodySize: record.header.bodySize,
            bodyChecksum: record.header.bodyChecksum, placements: try placements.map(withoutTrace), stamp: stamp)
        }
      }
      if buffer.count >= Self.bufferLimit { try write(to: target) }
    }
    guard beginning != nil else { return "its beginning cannot be read" }
    try write(to: target)
    return nil
  }

  private enum Fate {
    case kept
    case dropped
  }

  private func fate(of record: PackScanner.Record) throws(StoreError) -> Fate {
    if record.header.kind == .goneBody { return .kept }
    let location = try database.location(of: record.header.bodyID)
    guard let location else { return .dropped }
    if record.header.kind == .largeBody { return .kept }
    // The body may have another record, in which it is looked for.
    return location.pack == pack.number && location.position == record.bodyPosition ? .kept : .dropped
  }

  /// Of a message that is gone.
  private func withoutTrace(_ placement: PackRecord.Placement) throws(StoreError) -> PackRecord.Placement {
    let isThere = try database.one("SELECT 1 FROM messages WHERE id = ?", .integer(placement.email)) { _ in true }
    guard isThere == nil else { return placement }
    var placement = placement
    placement.prefix = []
    return placement
  }

  private mutating func append(_ record: PackScanner.Record, _ scanner: inout PackScanner) {
    scanner.withOctets(of: record) { buffer.append(contentsOf: $0) }
  }

  // MARK: Writing

  private mutating func write(to target: File) throws(StoreError) {
    do throws(FileError) { try target.write(buffer, at: bufferStart) } catch { throw error.storeError }
    spend(Int64(buffer.count))
    bufferStart += Int64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeBeginning(of number: PackNumber, length: Int64, to target: File) throws(FileError) {
    guard var beginning else { return }
    beginning.compaction = PackBeginning.Compaction(
      generation: number.generation, replacedEnd: beginning.compaction?.replacedEnd ?? pack.length, length: length)
    try target.write(PackRecord.encode(beginningOf: number.place, beginning, stamp: stamp), at: 0)
  }

  /// Reads the new pack as others will: it is about to be the only one.
  private func check(_ target: File, length: Int64) throws(StoreError) {
    var scanner = PackScanner(target, end: length, stamp: stamp)
    var bodies = moves[...]
    while let item = scanner.next() {
      if isCancelled() { throw .closed }
      guard case .record(let record) = item else { throw .inputOutput("\(target.path) reads otherwise than written") }
      guard record.header.kind == .body else { continue }
      guard record.body == .intact, let move = bodies.popFirst(), move.body == record.header.bodyID,
        move.to == record.bodyPosition
      else { throw .inputOutput("\(target.path) reads otherwise than written") }
    }
    guard bodies.isEmpty, target.size == length else {
      throw .inputOutput("\(target.path) reads otherwise than written")
    }
  }
}

/// A pack that is ready to take the place of another.
struct CompactedPack: Sendable {
  struct Move: Sendable {
    var body: Int64
    var from: Int64
    var to: Int64
    var size: Int64
  }

  var old: PackNumber
  var new: PackNumber
  var length: Int64
  var moves: [Move]
}

extension File {
  fileprivate func write(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { bytes in
      do throws(FileError) { try write(bytes, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

extension RecordedChange {
  fileprivate var isOfBaseline: Bool {
    switch self {
    case .directory, .mailboxes, .exactEntries, .vanished, .deleted, .deletedEntries, .baselineEnd: true
    // Of a newer version: nobody knows.
    case .unknown: true
    case .domain, .domainRemoved, .account, .accountRemoved, .appPasswords, .alias, .aliasRemoved, .subscribed,
      .unsubscribed, .mailbox, .mailboxRemoved, .entries, .removed, .expunged, .restored, .deletionsPurged,
      .messagesPurged, .queued, .unqueued, .queueState, .importOrigin, .imported,
      .signingKey, .signingKeyRemoved, .sendingRules:
      false
    }
  }
}

extension WriteContext {
  /// From this commit on the bodies are read from the new pack, and the old one is no longer named. In one step: there
  /// is no state in which a pack has two files.
  func adopt(_ pack: CompactedPack) throws(StoreError) {
    try database.change("DELETE FROM sealed_packs WHERE id = ?", .integer(pack.old.rawValue))
    guard database.changedRows == 1 else { throw .inputOutput("pack \(pack.old) is not what it was") }
    try database.change("DELETE FROM dead_octets WHERE pack = ?", .integer(pack.old.rawValue))
    try database.change(
      "INSERT INTO sealed_packs (id, length) VALUES (?, ?)", .integer(pack.new.rawValue), .integer(pack.length))
    var dead: Int64 = 0
    for move in pack.moves {
      try database.change(
        "UPDATE bodies SET pack = ?, position = ? WHERE id = ? AND pack = ? AND position = ?",
        .integer(pack.new.rawValue), .integer(move.to), .integer(move.body), .integer(pack.old.rawValue),
        .integer(move.from))
      // Its last message went meanwhile.
      if database.changedRows == 0 { dead += move.size }
    }
    if dead > 0 { try database.addDeadOctets(dead, of: pack.new) }
  }
}
