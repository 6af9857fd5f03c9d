import SQLite

/// A body that is whole in a record that is not: it gets a new record, which says where its messages are now.
struct RescuedBody {
  let id: Int64
  let database: Database
  let layout: StoreLayout
  let files: FileAccess

  /// Writes all of them. Asks by body and by message, for which the tables have no index of their own.
  static func write(
    _ ids: [Int64], to packs: PackWriter, _ database: Database, _ layout: StoreLayout, _ files: FileAccess
  ) throws(StoreError) {
    guard !ids.isEmpty else { return }
    try database.change("CREATE INDEX rescued_messages ON messages (body)")
    try database.change("CREATE INDEX rescued_entries ON entries (message)")
    for id in ids { try RescuedBody(id: id, database: database, layout: layout, files: files).write(to: packs) }
    try database.change("DROP INDEX rescued_messages")
    try database.change("DROP INDEX rescued_entries")
  }

  private func write(to packs: PackWriter) throws(StoreError) {
    let body = try database.one(
      "SELECT id, pack, position, size, checksum FROM bodies WHERE id = ?", .integer(id), row: StoredBody.init)
    let placements = try placements()
    let isQueued = try database.one("SELECT 1 FROM queued_messages WHERE body = ?", .integer(id)) { _ in true }
    guard let body, !placements.isEmpty || isQueued != nil else { return }
    var record = PackRecord.encode(
      kind: body.pack == nil ? .largeBody : .body, bodyID: id, bodySize: Int(body.size), bodyChecksum: body.checksum,
      placements: placements, stamp: packs.stamp)
    let headerSize = record.count
    if body.pack != nil {
      do throws(BodyProblem) {
        record += try body.bytes(layout, files)
      } catch {
        // It was read and checked a moment ago.
        throw .inputOutput(error.text)
      }
    }
    let start: Int64
    do throws(FileError) { start = try packs.append(record) } catch { throw error.storeError }
    guard body.pack != nil else { return }
    try database.change(
      "UPDATE bodies SET pack = ?, position = ? WHERE id = ?", .integer(packs.segment),
      .integer(start + Int64(headerSize)), .integer(id))
  }

  private func placements() throws(StoreError) -> [PackRecord.Placement] {
    var placements: [PackRecord.Placement] = []
    try database.each(
      """
      SELECT m.account, a.local_part || '@' || a.domain, b.id, b.name, b.uid_validity, e.uid, e.modseq, e.flags,
        e.keywords, m.id, m.thread, m.internal_date, m.internal_offset, e.saved, m.prefix
      FROM messages m LEFT JOIN accounts a ON a.id = m.account LEFT JOIN entries e ON e.message = m.id
      LEFT JOIN mailboxes b ON b.id = e.mailbox WHERE m.body = ? ORDER BY e.mailbox, e.uid
      """, .integer(id)
    ) { row in
      placements.append(
        PackRecord.Placement(
          account: row.integer(0), address: row.text(1), mailbox: row.integer(2), mailboxName: row.text(3),
          uidValidity: UInt32(truncatingIfNeeded: row.integer(4)), uid: UInt32(truncatingIfNeeded: row.integer(5)),
          modSequence: row.integer(6), flags: UInt8(truncatingIfNeeded: row.integer(7)), keywords: row.text(8),
          email: row.integer(9), thread: row.integer(10), internalDate: row.integer(11),
          internalOffset: row.integer(12), saved: row.integer(13), prefix: row.blob(14)))
    }
    return placements
  }
}
