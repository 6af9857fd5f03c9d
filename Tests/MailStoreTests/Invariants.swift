import Bytes
import Foundation
import SQLite
import Testing

@testable import MailStore

/// What must hold in every store that is not open, whatever was done to it.
func checkInvariants(of path: String) throws {
  guard FileManager.default.fileExists(atPath: path + "/store.db") else { return }
  let database = try Database(path: path + "/store.db", access: .reading)
  func none(_ sql: StaticString, _ what: Comment) throws {
    #expect(try database.first(sql) { $0.integer(0) } == nil, what)
  }
  try none(
    """
    SELECT m.id FROM mailboxes m LEFT JOIN entries e ON e.mailbox = m.id LEFT JOIN messages g ON g.id = e.message
    GROUP BY m.id HAVING m.messages <> count(e.uid) OR m.unseen <> ifnull(sum(e.flags & 1 = 0), 0)
      OR m.deleted <> ifnull(sum(e.flags & 8 <> 0), 0) OR m.size <> ifnull(sum(g.size), 0)
      OR m.uid_next <= ifnull(max(e.uid), 0) OR m.modseq < ifnull(max(e.modseq), 0)
    """, "counters of a mailbox")
  try none("SELECT uid FROM entries WHERE mailbox NOT IN (SELECT id FROM mailboxes)", "an entry without mailbox")
  try none("SELECT uid FROM entries WHERE message NOT IN (SELECT id FROM messages)", "an entry without message")
  try none("SELECT id FROM messages WHERE body NOT IN (SELECT id FROM bodies)", "a message without body")
  try none(
    """
    SELECT g.id FROM messages g LEFT JOIN entries e ON e.message = g.id GROUP BY g.id
    HAVING g.entries <> count(e.uid) OR (g.orphaned_at IS NULL) <> (count(e.uid) > 0)
    """, "entries of a message")
  try none(
    """
    SELECT v.first FROM vanished v JOIN entries e ON e.mailbox = v.mailbox AND e.uid BETWEEN v.first AND v.last
    """, "a vanished message is there")
  try none(
    "SELECT id FROM bodies WHERE id >= (SELECT value FROM state WHERE name = 'next_id')", "an ID beyond the counter")

  // Every body is in a record that says so, undamaged.
  var found: [Int64: (pack: Int64, position: Int)] = [:]
  var ends: [Int64: Int] = [:]
  try database.forEach(
    """
    SELECT id, length FROM sealed_packs UNION ALL
    SELECT (SELECT value FROM state WHERE name = 'pack'), (SELECT value FROM state WHERE name = 'pack_end')
    """
  ) { row in
    ends[row.integer(0)] = Int(row.integer(1))
    return true
  }
  for (pack, end) in ends where end > 0 {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/packs/\(pack).pack")))
    #expect(bytes.count >= end)
    var position = 0
    while position < end {
      let header = try #require(PackRecord.decodeHeader(bytes[position...]), "a record at \(position) of pack \(pack)")
      let bodyStart = position + PackRecord.headerSize + header.metadataSize
      let placements = try #require(PackRecord.decodePlacements(Array(bytes[position..<bodyStart])))
      #expect(!placements.isEmpty)
      if header.kind == .body {
        let sum = bytes[bodyStart..<bodyStart + header.bodySize].withUnsafeBytes { crc32c($0) }
        #expect(sum == header.bodyChecksum)
        found[header.bodyID] = (pack, bodyStart)
      }
      position += header.recordSize
    }
    #expect(position == end)
  }
  try database.forEach("SELECT id, pack, position FROM bodies") { row in
    let id = row.integer(0)
    if let pack = row.optionalInteger(1) {
      #expect(found[id]?.pack == pack && found[id]?.position == Int(row.integer(2)))
    } else {
      #expect(FileManager.default.fileExists(atPath: "\(path)/large/\(id)"))
    }
    return true
  }
}
