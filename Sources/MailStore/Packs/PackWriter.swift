/// Appends records to the active pack, group by group. Used by the writer's thread alone.
///
/// A group's records gather in one buffer and reach the file in one write and one flush. What was flushed for a group
/// that then failed is cut off again; where that is not certain, the pack is sealed and a new one begun, whose first
/// record says where the committed ones of the old end.
final class PackWriter {
  /// A position to go back to within a group.
  struct Mark {
    fileprivate var end: Int64
  }

  /// Ends the metadata of every record.
  let stamp: UInt64
  private let layout: StoreLayout
  private let files: FileAccess
  private let segmentLimit: Int64
  /// Where committed records end before the active pack.
  private var previous: PackPosition
  private var file: File?
  /// The active pack's number, and where its committed records end.
  private(set) var segment: Int64
  private(set) var committedEnd: Int64
  /// The records from `bufferStart` on that have not been written.
  private var buffer: [UInt8] = []
  private var bufferStart: Int64
  /// A body among them is written already, so that a flush is due even with an empty buffer.
  private var hasWritten = false
  private var isSealed = false

  /// A buffer above this is written before the group's end.
  private static let bufferLimit = 4 << 20

  /// - Parameter previous: of interest where `committedEnd` is 0.
  init(
    layout: StoreLayout, files: FileAccess, segment: Int64, committedEnd: Int64, previous: PackPosition, stamp: UInt64,
    segmentLimit: Int64
  ) {
    self.stamp = stamp
    self.previous = previous
    self.layout = layout
    self.files = files
    self.segment = segment
    self.committedEnd = committedEnd
    self.segmentLimit = segmentLimit
    bufferStart = committedEnd
  }

  /// The end of the group's records so far.
  private var end: Int64 { bufferStart + Int64(buffer.count) }
  var mark: Mark { Mark(end: end) }
  var hasRecords: Bool { newOctets > 0 }
  /// Nothing of the active pack is committed.
  var isAtBeginning: Bool { committedEnd == 0 }
  /// Of the group's records so far.
  var newOctets: Int64 { end - committedEnd }
  /// Where the active pack's records end once the group is committed.
  var newEnd: Int64 { end }

  /// At a group's start: goes on to a new pack where the active one is full or sealed.
  func beginGroup() {
    if isSealed || committedEnd >= segmentLimit {
      if committedEnd > 0 { previous = PackPosition(segment: segment, offset: committedEnd) }
      file = nil
      segment += 1
      committedEnd = 0
      isSealed = false
    }
    bufferStart = committedEnd
    buffer.removeAll(keepingCapacity: true)
    hasWritten = false
  }

  private func openIfNeeded() throws(FileError) {
    if file == nil {
      let opened = try File(layout.pack(PackNumber(segment)), .writing, access: files)
      // The name of a new pack must survive as well as its contents. One that is there already may have been made by a
      // group whose flush of the directory failed.
      try files.flushDirectory(layout.packs)
      file = opened
    }
    if end == 0 {
      buffer.append(
        contentsOf: PackRecord.encode(beginningOf: segment, PackBeginning(previous: previous), stamp: stamp))
    }
  }

  /// Appends a record that is whole in itself; returns its offset.
  @discardableResult
  func append(_ record: [UInt8]) throws(FileError) -> Int64 {
    try openIfNeeded()
    let offset = end
    buffer.append(contentsOf: record)
    if buffer.count > Self.bufferLimit { try write() }
    return offset
  }

  /// Appends a record; returns the offset of its body in the pack.
  func append(header: [UInt8], body: StagedBody) throws(FileError) -> Int64 {
    try openIfNeeded()
    buffer.append(contentsOf: header)
    let offset = end
    switch body.content {
    case .memory(let bytes):
      buffer.append(contentsOf: bytes)
    case .spooled(let spool) where !body.isLarge:
      // It was small, and went to the spool for want of memory.
      var failure: FileError?
      let bytes = [UInt8](unsafeUninitializedCapacity: body.size) { memory, count in
        do throws(FileError) {
          count = try spool.file.read(into: UnsafeMutableRawBufferPointer(memory), at: 0)
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
      guard bytes.count == body.size else { throw FileError(code: 5, path: spool.file.path) }
      buffer.append(contentsOf: bytes)
    case .spooled:
      break
    }
    if buffer.count > Self.bufferLimit { try write() }
    return offset
  }

  /// Forgets what was appended since `mark`.
  func undo(to mark: Mark) {
    if mark.end >= bufferStart {
      buffer.removeLast(Int(end - mark.end))
    } else {
      buffer.removeAll(keepingCapacity: true)
      bufferStart = mark.end
    }
  }

  /// Everything appended is on the disk when this returns.
  func flush() throws(FileError) {
    guard hasRecords else { return }
    try write()
    guard let file, hasWritten else { return }
    do throws(FileError) {
      try file.flush()
    } catch {
      // After a failed flush the system may call pages clean that never reached the disk: this file is not trusted
      // again.
      seal()
      throw error
    }
  }

  /// The group is committed.
  func commitGroup() {
    committedEnd = end
    bufferStart = end
    buffer.removeAll(keepingCapacity: buffer.capacity <= 2 * Self.bufferLimit)
  }

  /// The group is not committed, and will not be.
  func abandonGroup() {
    if hasWritten, let file, !isSealed {
      do throws(FileError) { try file.truncate(to: committedEnd) } catch { seal() }
    }
    bufferStart = committedEnd
    buffer.removeAll(keepingCapacity: true)
    hasWritten = false
  }

  /// The next group goes to a new pack. Also after a commit that may or may not come back after a crash: its records
  /// stay.
  func seal() {
    isSealed = true
    bufferStart = committedEnd
    buffer.removeAll(keepingCapacity: true)
    hasWritten = false
  }

  private func write() throws(FileError) {
    guard !buffer.isEmpty, let file else { return }
    var failure: FileError?
    buffer.withUnsafeBytes { bytes in
      do throws(FileError) { try file.write(bytes, at: bufferStart) } catch { failure = error }
    }
    hasWritten = true
    if let failure { throw failure }
    bufferStart += Int64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }
}
