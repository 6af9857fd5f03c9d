import Bytes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads a pack from its first record to the last, over whatever damage is in between. Blocks.
///
/// What the disk cannot read is taken as zeros, so it is found out by the sums like any other damage.
struct PackScanner {
  enum Item {
    case record(Record)
    /// Octets in which no record can be read.
    case damaged(Range<Int64>)
  }

  struct Record {
    var position: Int64
    var header: PackRecord.Header
    var metadata: PackRecord.Metadata
    var stamp: UInt64?
    var body: Body
    var bodyPosition: Int64 { position + Int64(PackRecord.headerSize + header.metadataSize) }
    var end: Int64
  }

  enum Body {
    /// There is none in this record.
    case none
    case intact
    case damaged
    /// The pack ends inside it.
    case cutOff
  }

  private let file: File
  /// What lies beyond this is not looked at.
  let end: Int64
  /// Nil for a pack of before there were stamps.
  let stamp: UInt64?
  private(set) var position: Int64

  private var window: [UInt8] = []
  private var windowStart: Int64 = 0

  private static let readSize = 1 << 20
  /// Where a read fails, pieces of this size are read on their own.
  private static let pageSize = 4_096

  init(_ file: File, from start: Int64 = 0, end: Int64, stamp: UInt64?) {
    self.file = file
    position = start
    self.end = end
    self.stamp = stamp
  }

  /// Whether the pack is of the time of stamps.
  static func isStamped(_ file: File) -> Bool { first(of: file).map { $0.stamp != nil } ?? true }

  /// What a pack begins with, of whatever store and time; nil where that cannot be read.
  /// - Parameter end: what lies beyond this is not looked at.
  static func first(of file: File, end: Int64 = .max) -> Record? {
    var scanner = PackScanner(file, end: min(file.size, end), stamp: nil)
    guard case .record(let record)? = scanner.next() else { return nil }
    return record
  }

  mutating func next() -> Item? {
    guard position < end else { return nil }
    if let record = record(at: position) {
      position = record.end
      return .record(record)
    }
    let start = position
    position = positionAfterDamage(at: start)
    return .damaged(start..<position)
  }

  /// The body of the record that came last, where it is in the pack and whole.
  mutating func withBody<Result>(of record: Record, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    fill(record.position, Int(record.end - record.position))
    let start = Int(record.bodyPosition - windowStart)
    return window.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + record.header.bodySize])) }
  }

  /// All of the record that came last, where it is whole.
  mutating func withOctets<Result>(of record: Record, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    fill(record.position, Int(record.end - record.position))
    return bytes(record.position..<record.end).withUnsafeBytes(body)
  }

  // MARK: Records

  private mutating func record(at position: Int64) -> Record? {
    let headerEnd = position + Int64(PackRecord.headerSize)
    guard headerEnd <= end else { return nil }
    fill(position, PackRecord.headerSize)
    guard let header = PackRecord.decodeHeader(bytes(position..<headerEnd)) else { return nil }
    let bodyStart = headerEnd + Int64(header.metadataSize)
    // First the cheap question: a body full of what looks like headers must not cost a sum for each.
    guard bodyStart <= end, stamp == nil || self.stamp(before: bodyStart) == stamp else { return nil }
    fill(position, Int(bodyStart - position))
    guard let decoded = PackRecord.decode(bytes(position..<bodyStart)) else { return nil }
    var record = Record(
      position: position, header: header, metadata: decoded.metadata, stamp: decoded.stamp, body: .none, end: bodyStart)
    guard header.kind == .body else { return record }
    guard Int64(header.bodySize) <= end - bodyStart else {
      record.body = .cutOff
      record.end = end
      return record
    }
    record.end = bodyStart + Int64(header.bodySize)
    fill(position, Int(record.end - position))
    guard windowStart + Int64(window.count) >= record.end else {
      record.body = .damaged
      return record
    }
    let sum = withBody(of: record) { crc32c($0) }
    record.body = sum == header.bodyChecksum ? .intact : .damaged
    return record
  }

  private mutating func stamp(before position: Int64) -> UInt64? {
    let start = position - Int64(PackRecord.stampSize)
    if start >= windowStart, position <= windowStart + Int64(window.count) {
      return bytes(start..<position).littleEndian(UInt64.self, at: 0)
    }
    var value: UInt64 = 0
    let count = withUnsafeMutableBytes(of: &value) { (try? file.read(into: $0, at: start)) ?? 0 }
    return count == PackRecord.stampSize ? UInt64(littleEndian: value) : nil
  }

  // MARK: Damage

  /// Where reading goes on after the record at `start` that cannot be read.
  private mutating func positionAfterDamage(at start: Int64) -> Int64 {
    // Most often only its metadata is damaged, and its length still leads to the next.
    fill(start, PackRecord.headerSize)
    let headerEnd = min(start + Int64(PackRecord.headerSize), end)
    if let header = PackRecord.decodeHeader(bytes(start..<headerEnd)), Int64(header.recordSize) <= end - start {
      let next = start + Int64(header.recordSize)
      if next == end || record(at: next) != nil { return next }
    }
    guard stamp != nil else { return end }
    var position = start + 1
    while let candidate = nextMagic(from: position) {
      if record(at: candidate) != nil { return candidate }
      position = candidate + 1
    }
    return end
  }

  private mutating func nextMagic(from start: Int64) -> Int64? {
    var position = start
    while position + Int64(PackRecord.headerSize) <= end {
      fill(position, PackRecord.headerSize)
      let start = Int(position - windowStart)
      let found = window.withUnsafeBytes { window in
        PackRecord.magicBytes.withUnsafeBytes { window.firstIndex(of: $0, from: start) }
      }
      if let found { return windowStart + Int64(found) }
      // The magic may lie across the end of what is read.
      position = windowStart + Int64(window.count - PackRecord.magicBytes.count + 1)
    }
    return nil
  }

  // MARK: The window

  private func bytes(_ range: Range<Int64>) -> ArraySlice<UInt8> {
    let lower = Int(range.lowerBound - windowStart)
    return window[lower..<min(lower + Int(range.upperBound - range.lowerBound), window.count)]
  }

  /// Has at least `count` octets from `start` on in the window, or what there is of them.
  private mutating func fill(_ start: Int64, _ count: Int) {
    let windowEnd = windowStart + Int64(window.count)
    if start >= windowStart, start + Int64(count) <= windowEnd { return }
    let size = Int(min(Int64(max(count, Self.readSize)), end - start))
    var kept: ArraySlice<UInt8> = []
    if start >= windowStart, start < windowEnd { kept = window[Int(start - windowStart)...] }
    let keptCount = min(kept.count, size)
    var new = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      _ = buffer.update(fromContentsOf: kept.prefix(keptCount))
      let rest = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[keptCount..<size])
      filled = keptCount + read(into: rest, at: start + Int64(keptCount))
    }
    swap(&new, &window)
    windowStart = start
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
    if let count = try? file.read(into: buffer, at: offset) { return count }
    var position = 0
    while position < buffer.count {
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[position..<min(position + Self.pageSize, buffer.count)])
      if (try? file.read(into: piece, at: offset + Int64(position))) == nil {
        piece.initializeMemory(as: UInt8.self, repeating: 0)
      }
      position += piece.count
    }
    return buffer.count
  }
}
