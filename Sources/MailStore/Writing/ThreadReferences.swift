import Bytes
import MessageFormat

/// The message IDs by which a message finds its thread, as hashes: its own, and those it answers.  RFC 5322 §3.6.4.
struct ThreadReferences: Sendable {
  var own: Int64?
  /// Oldest first; a long chain keeps its beginning and its end.
  var ancestors: [Int64]

  /// Those by which the message and its answers are found.
  var all: [Int64] { ancestors + (own.map { [$0] } ?? []) }

  /// Of a `References` field this many IDs count: the first, and the last.
  static let ancestorLimit = 8

  init(_ envelope: Envelope, key: UInt64) {
    own = envelope.messageID.flatMap { Self.identifiers(in: $0).first }.map { Self.hash($0, key: key) }
    var seen = Set<Int64>()
    var hashes: [Int64] = []
    for field in [envelope.references, envelope.inReplyTo] {
      for identifier in Self.identifiers(in: field ?? []) {
        let hash = Self.hash(identifier, key: key)
        if hash != own, seen.insert(hash).inserted { hashes.append(hash) }
      }
    }
    if hashes.count > Self.ancestorLimit {
      hashes.removeSubrange(1...(hashes.count - Self.ancestorLimit))
    }
    ancestors = hashes
  }

  /// The contents of the angle brackets, at most 1,000 of them.
  private static func identifiers(in field: [UInt8]) -> [ArraySlice<UInt8>] {
    var result: [ArraySlice<UInt8>] = []
    var start: Int?
    for (index, byte) in field.enumerated() {
      if byte == UInt8(ascii: "<") {
        start = index + 1
      } else if byte == UInt8(ascii: ">"), let from = start {
        if from < index { result.append(field[from..<index]) }
        start = nil
        if result.count == 1_000 { break }
      }
    }
    return result
  }

  private static func hash(_ bytes: ArraySlice<UInt8>, key: UInt64) -> Int64 {
    // FNV-1a from a start of our own, finished as in MurmurHash3 so that all bits count.
    var hash = key ^ 0xCBF2_9CE4_8422_2325
    for byte in bytes where byte > 0x20 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ hash >> 33) &* (0xFF51_AFD7_ED55_8CCD ^ (key | 1))
    hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
    return Int64(bitPattern: hash ^ hash >> 33)
  }
}
