import Bytes

/// A record of a pack: a body, and all that is needed to rebuild the index from packs alone.
///
/// Layout, little-endian:
/// ```
///  0  4  magic "MPk1"
///  4  1  kind
///  5  3  zero
///  8  8  body ID
/// 16  8  body size
/// 24  4  metadata size
/// 28  4  CRC-32C of the body
/// 32  4  CRC-32C of the 32 bytes before and of the metadata
/// 36     metadata, then the body
/// ```
/// Header and body have sums of their own, so that a damaged body costs one message and not the way to the next.
enum PackRecord {
  enum Kind: UInt8 {
    case body = 1
    /// The body is a file among the large ones; only its metadata is here.
    case largeBody = 2
  }

  static let headerSize = 36
  private static let magic: UInt32 = 0x316B_504D

  /// Where the message went in one account.
  struct Placement: Sendable, Hashable {
    var account: Int64
    var address: String
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

  /// Header and metadata.
  static func encode(
    kind: Kind, bodyID: Int64, bodySize: Int, bodyChecksum: UInt32, placements: [Placement]
  ) -> [UInt8] {
    var record: [UInt8] = []
    record.reserveCapacity(headerSize + placements.count * 256)
    record.appendLittleEndian(magic)
    record.append(kind.rawValue)
    record.append(contentsOf: [0, 0, 0])
    record.appendLittleEndian(UInt64(bitPattern: bodyID))
    record.appendLittleEndian(UInt64(bodySize))
    record.append(contentsOf: repeatElement(0, count: 12))
    record.appendVariable(UInt64(placements.count))
    for placement in placements { placement.encode(into: &record) }
    record.store(UInt32(record.count - headerSize), at: 24)
    record.store(bodyChecksum, at: 28)
    record.store(Self.checksum(record), at: 32)
    return record
  }

  private static func checksum(_ record: [UInt8]) -> UInt32 {
    record.withUnsafeBytes { bytes in
      crc32c(
        UnsafeRawBufferPointer(rebasing: bytes[headerSize...]),
        seed: crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<32])))
    }
  }

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

  /// Reads the metadata of a record from its header and metadata bytes. Nil where they are damaged.
  static func decodePlacements(_ bytes: [UInt8]) -> [Placement]? {
    guard let header = decodeHeader(bytes[...]), bytes.count == headerSize + header.metadataSize,
      checksum(bytes) == header.checksum
    else { return nil }
    var cursor = ByteCursor(bytes)
    cursor.position = headerSize
    guard let count = cursor.nextVariable(), count <= UInt64(bytes.count) else { return nil }
    var placements: [Placement] = []
    for _ in 0..<count {
      guard let placement = Placement(decoding: &cursor) else { return nil }
      placements.append(placement)
    }
    return placements
  }
}

extension PackRecord.Placement {
  fileprivate func encode(into record: inout [UInt8]) {
    record.appendVariable(UInt64(bitPattern: account))
    record.appendCounted(address.utf8)
    record.appendVariable(UInt64(bitPattern: mailbox))
    record.appendCounted(mailboxName.utf8)
    record.appendVariable(UInt64(uidValidity))
    record.appendVariable(UInt64(uid))
    record.appendVariable(UInt64(bitPattern: modSequence))
    record.append(flags)
    record.appendCounted(keywords.utf8)
    record.appendVariable(UInt64(bitPattern: email))
    record.appendVariable(UInt64(bitPattern: thread))
    record.appendLittleEndian(UInt64(bitPattern: internalDate))
    record.appendLittleEndian(UInt16(truncatingIfNeeded: internalOffset))
    record.appendLittleEndian(UInt64(bitPattern: saved))
    record.appendCounted(prefix)
  }

  fileprivate init?(decoding cursor: inout ByteCursor) {
    guard let account = cursor.nextVariable(), let address = cursor.nextCounted(),
      let mailbox = cursor.nextVariable(), let mailboxName = cursor.nextCounted(),
      let uidValidity = cursor.nextVariable(), let uid = cursor.nextVariable(),
      let modSequence = cursor.nextVariable(), let flags = cursor.next(), let keywords = cursor.nextCounted(),
      let email = cursor.nextVariable(), let thread = cursor.nextVariable(),
      let internalDate = cursor.take(8), let internalOffset = cursor.take(2), let saved = cursor.take(8),
      let prefix = cursor.nextCounted()
    else { return nil }
    self.account = Int64(bitPattern: account)
    self.address = String(decoding: address, as: UTF8.self)
    self.mailbox = Int64(bitPattern: mailbox)
    self.mailboxName = String(decoding: mailboxName, as: UTF8.self)
    self.uidValidity = UInt32(truncatingIfNeeded: uidValidity)
    self.uid = UInt32(truncatingIfNeeded: uid)
    self.modSequence = Int64(bitPattern: modSequence)
    self.flags = flags
    self.keywords = String(decoding: keywords, as: UTF8.self)
    self.email = Int64(bitPattern: email)
    self.thread = Int64(bitPattern: thread)
    self.internalDate = Int64(bitPattern: internalDate.littleEndian(UInt64.self, at: 0))
    self.internalOffset = Int64(Int16(bitPattern: internalOffset.littleEndian(UInt16.self, at: 0)))
    self.saved = Int64(bitPattern: saved.littleEndian(UInt64.self, at: 0))
    self.prefix = Array(prefix)
  }
}

extension Array where Element == UInt8 {
  fileprivate mutating func appendLittleEndian<Number: FixedWidthInteger>(_ value: Number) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  fileprivate mutating func store(_ value: UInt32, at offset: Int) {
    withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self) }
  }

  /// LEB128.
  fileprivate mutating func appendVariable(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  fileprivate mutating func appendCounted(_ bytes: some Collection<UInt8>) {
    appendVariable(UInt64(bytes.count))
    append(contentsOf: bytes)
  }
}

extension ArraySlice where Element == UInt8 {
  /// The caller has checked that the bytes are there.
  fileprivate func littleEndian<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
    withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }
}

extension ByteCursor {
  fileprivate mutating func nextVariable() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = next() {
      guard shift < 64 else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  fileprivate mutating func nextCounted() -> ArraySlice<UInt8>? {
    guard let count = nextVariable(), let count = Int(exactly: count) else { return nil }
    return take(count)
  }
}
