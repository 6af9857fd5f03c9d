import Bytes

/// A record of a pack: a body or a change, and all that is needed to rebuild the index from packs alone.
///
/// Layout, little-endian:
/// ```
///  0  4  magic "MPk1"
///  4  1  kind
///  5  3  zero
///  8  8  body ID; 0 for changes; the pack's own place for a beginning
/// 16  8  body size; 0 where there is no body
/// 24  4  metadata size
/// 28  4  CRC-32C of the body; 0 where there is none
/// 32  4  CRC-32C of the 32 bytes before and of the metadata
/// 36     metadata, then the body
/// ```
/// Header and body have sums of their own, so that a damaged body costs one message and not the way to the next.
///
/// The last 8 bytes of the metadata are the store's stamp. Where a damaged header has lost the way, only what has the
/// stamp is taken for the next record: a message may well contain what looks like one. Packs of before there was a
/// stamp have no beginning, and their records end without it.
enum PackRecord {
  enum Kind: UInt8 {
    case body = 1
    /// The body is a file among the large ones; only its metadata is here.
    case largeBody = 2
    /// What a group has changed besides adding bodies; after them.
    case changes = 3
    /// The first of a pack.
    case beginning = 4
    /// The first of a pack that was compacted.
    case compactedBeginning = 5
    /// What is left of the record of a body, in the pack or a file of its own, that no message has any more.
    case goneBody = 6
    /// The last of a group of new messages, and of changes of entries and of the queue. With it in the pack the group is
    /// committed, whatever `store.db` has of it after a power cut.
    case groupEnd = 7
  }

  static let headerSize = 36
  static let stampSize = 8
  private static let magic: UInt32 = 0x316B_504D
  static let magicBytes: [UInt8] = Array("MPk1".utf8)
  static let beginningSize = headerSize + 16 + stampSize
  static let compactedBeginningSize = headerSize + 40 + stampSize

  /// Where the message went in one account.
  struct Placement: Sendable, Hashable {
    var account: Int64
    var address: String
    /// 0 for a message that was in none any more when its body got a new record.
    var mailbox: Int64
    var mailboxName: String
    var uidValidity: UInt32
    var uid: UInt32
    var modSequence: Int64
    var flags: UInt8
    var keywords: String
    var email: Int64
    var thread: Int64
    var internalDate: Int64
    var internalOffset: Int64
    var saved: Int64
    var prefix: [UInt8]

    /// As it is in its mailbox.
    var entry: RecordedEntry {
      RecordedEntry(
        uid: uid, message: email, flags: flags, keywords: keywords, modSequence: modSequence, saved: saved)
    }
  }

  struct Header: Hashable {
    var kind: Kind
    var bodyID: Int64
    var bodySize: Int
    var metadataSize: Int
    var bodyChecksum: UInt32
    var checksum: UInt32

    /// Octets of the whole record.
    var recordSize: Int { headerSize + metadataSize + (kind == .body ? bodySize : 0) }
  }

  enum Metadata: Hashable {
    case placements([Placement])
    case changes([RecordedChange])
    case beginning(PackBeginning)
    /// Of the group's records before it.
    case groupEnd(octets: Int64)
  }

  /// Header and metadata of a record, undamaged.
  struct Decoded: Hashable {
    var header: Header
    var metadata: Metadata
    var stamp: UInt64?
  }

  // MARK: Encoding

  /// Header and metadata of a body.
  static func encode(
    kind: Kind, bodyID: Int64, bodySize: Int, bodyChecksum: UInt32, placements: [Placement], stamp: UInt64
  ) -> [UInt8] {
    encode(
      kind, id: bodyID, bodySize: bodySize, bodyChecksum: bodyChecksum, stamp: stamp, capacity: placements.count * 256
    ) { record in
      record.appendList(placements) { $1.encode(into: &$0) }
    }
  }

  static func encode(changes: [RecordedChange], stamp: UInt64) -> [UInt8] {
    encode(.changes, id: 0, stamp: stamp, capacity: changes.count * 64) { record in
      record.appendList(changes) { $1.encode(into: &$0) }
    }
  }

  static func encode(beginningOf segment: Int64, _ beginning: PackBeginning, stamp: UInt64) -> [UInt8] {
    let kind = beginning.compaction == nil ? Kind.beginning : .compactedBeginning
    return encode(kind, id: segment, stamp: stamp, capacity: 40) { record in
      record.appendLittleEndian(beginning.previous.segment)
      record.appendLittleEndian(beginning.previous.offset)
      guard let compaction = beginning.compaction else { return }
      record.appendLittleEndian(compaction.generation)
      record.appendLittleEndian(compaction.replacedEnd)
      record.appendLittleEndian(compaction.length)
    }
  }

  /// - Parameter octets: of the group's records before it.
  static func encode(endOfGroupOf octets: Int64, stamp: UInt64) -> [UInt8] {
    encode(.groupEnd, id: 0, stamp: stamp, capacity: 8) { $0.appendLittleEndian(octets) }
  }

  private static func encode(
    _ kind: Kind, id: Int64, bodySize: Int = 0, bodyChecksum: UInt32 = 0, stamp: UInt64, capacity: Int,
    metadata: (inout [UInt8]) -> Void
  ) -> [UInt8] {
    var record: [UInt8] = []
    record.reserveCapacity(headerSize + capacity + stampSize)
    record.appendLittleEndian(magic)
    record.append(kind.rawValue)
    record.append(contentsOf: [0, 0, 0])
    record.appendLittleEndian(UInt64(bitPattern: id))
    record.appendLittleEndian(UInt64(bodySize))
    record.append(contentsOf: repeatElement(0, count: 12))
    metadata(&record)
    record.appendLittleEndian(stamp)
    record.store(UInt32(record.count - headerSize), at: 24)
    record.store(bodyChecksum, at: 28)
    record.store(checksum(record[...]), at: 32)
    return record
  }

  static func checksum(_ record: ArraySlice<UInt8>) -> UInt32 {
    record.withUnsafeBytes { bytes in
      crc32c(
        UnsafeRawBufferPointer(rebasing: bytes[headerSize...]),
        seed: crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<32])))
    }
  }

  // MARK: Decoding

  /// Reads a header; its sum is checked with the metadata. Nil where no record begins.
  static func decodeHeader(_ bytes: ArraySlice<UInt8>) -> Header? {
    guard bytes.count >= headerSize, bytes.littleEndian(UInt32.self, at: 0) == magic,
      let kind = Kind(rawValue: bytes[bytes.startIndex + 4]),
      let bodySize = Int(exactly: bytes.littleEndian(UInt64.self, at: 16)), bodySize < 1 << 48
    else { return nil }
    return Header(
      kind: kind, bodyID: Int64(bitPattern: bytes.littleEndian(UInt64.self, at: 8)), bodySize: bodySize,
      metadataSize: Int(bytes.littleEndian(UInt32.self, at: 24)),
      bodyChecksum: bytes.littleEndian(UInt32.self, at: 28), checksum: bytes.littleEndian(UInt32.self, at: 32))
  }

  /// Reads a record from its header and metadata bytes. Nil where they are damaged.
  static func decode(_ bytes: ArraySlice<UInt8>) -> Decoded? {
    guard let header = decodeHeader(bytes), bytes.count == headerSize + header.metadataSize,
      checksum(bytes) == header.checksum
    else { return nil }
    var cursor = ByteCursor(bytes)
    cursor.position = headerSize
    let metadata: Metadata
    switch header.kind {
    case .body, .largeBody, .goneBody:
      guard let placements = cursor.nextList({ Placement(decoding: &$0) }) else { return nil }
      metadata = .placements(placements)
    case .changes:
      guard let changes = cursor.nextList({ RecordedChange(decoding: &$0) }) else { return nil }
      metadata = .changes(changes)
    case .beginning:
      guard let beginning = PackBeginning(decoding: &cursor, isCompacted: false) else { return nil }
      metadata = .beginning(beginning)
    case .compactedBeginning:
      guard let beginning = PackBeginning(decoding: &cursor, isCompacted: true) else { return nil }
      metadata = .beginning(beginning)
    case .groupEnd:
      guard let octets = cursor.take(8)?.littleEndian(Int64.self, at: 0) else { return nil }
      metadata = .groupEnd(octets: octets)
    }
    return Decoded(
      header: header, metadata: metadata, stamp: cursor.take(stampSize).map { $0.littleEndian(UInt64.self, at: 0) })
  }
}

/// What a pack says of its place in the history.
struct PackBeginning: Hashable {
  /// The pack whose records come before, and where its committed ones end as it was written: what it has beyond that
  /// never happened. In the first pack of a store both are 0.
  var previous: PackPosition
  /// Nil for a pack as it was written.
  var compaction: Compaction?

  struct Compaction: Hashable {
    var generation: Int64
    /// Where the committed records of the pack ended as it was written, which is what the next pack says of it.
    var replacedEnd: Int64
    /// Of this file.
    var length: Int64
  }
}

extension PackBeginning {
  fileprivate init?(decoding cursor: inout ByteCursor, isCompacted: Bool) {
    func next() -> Int64? { cursor.take(8)?.littleEndian(Int64.self, at: 0) }
    guard let segment = next(), let offset = next() else { return nil }
    previous = PackPosition(segment: segment, offset: offset)
    guard isCompacted else { return }
    guard let generation = next(), let replacedEnd = next(), let length = next() else { return nil }
    compaction = Compaction(generation: generation, replacedEnd: replacedEnd, length: length)
  }
}

extension PackRecord.Placement {
  fileprivate func encode(into record: inout [UInt8]) {
    record.appendVariable(account)
    record.appendText(address)
    record.appendVariable(mailbox)
    record.appendText(mailboxName)
    record.appendVariable(UInt64(uidValidity))
    record.appendVariable(UInt64(uid))
    record.appendVariable(modSequence)
    record.append(flags)
    record.appendText(keywords)
    record.appendVariable(email)
    record.appendVariable(thread)
    record.appendLittleEndian(internalDate)
    record.appendLittleEndian(UInt16(truncatingIfNeeded: internalOffset))
    record.appendLittleEndian(saved)
    record.appendCounted(prefix)
  }

  fileprivate init?(decoding cursor: inout ByteCursor) {
    guard let account = cursor.nextID(), let address = cursor.nextText(), let mailbox = cursor.nextID(),
      let mailboxName = cursor.nextText(), let uidValidity = cursor.nextNumber(), let uid = cursor.nextNumber(),
      let modSequence = cursor.nextID(), let flags = cursor.next(), let keywords = cursor.nextText(),
      let email = cursor.nextID(), let thread = cursor.nextID(), let internalDate = cursor.take(8),
      let internalOffset = cursor.take(2), let saved = cursor.take(8), let prefix = cursor.nextCounted()
    else { return nil }
    self.init(
      account: account, address: address, mailbox: mailbox, mailboxName: mailboxName, uidValidity: uidValidity,
      uid: uid, modSequence: modSequence, flags: flags, keywords: keywords, email: email, thread: thread,
      internalDate: internalDate.littleEndian(Int64.self, at: 0),
      internalOffset: Int64(internalOffset.littleEndian(Int16.self, at: 0)),
      saved: saved.littleEndian(Int64.self, at: 0), prefix: Array(prefix))
  }
}
