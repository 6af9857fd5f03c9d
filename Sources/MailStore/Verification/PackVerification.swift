import MessageFormat
import SQLite

/// Packs and large files: that they are there, that every record is whole, and that it says what the database says.
extension StoreVerifier {
  /// Records that are compared with the database at a time.
  private static let batch = 256

  mutating func checkPacks(_ start: VerificationStart) throws(StoreError) {
    try checkNames(start)
    let total = start.ends.values.reduce(0, +)
    var done: Int64 = 0
    var gaps = HistoryGaps()
    for (number, end) in start.ends.sorted(by: { $0.key < $1.key }) where end > 0 {
      report.packs += 1
      try checkPack(number, end, start, &gaps, before: done, of: total)
      done += end
    }
    for gap in gaps.gaps { report.add(.recordUnreadable, "pack \(gap.start.segment)", gap.text) }
  }

  private mutating func checkNames(_ start: VerificationStart) throws(StoreError) {
    let names: [String]
    do throws(FileError) { names = try files.names(in: layout.packs) } catch { throw error.storeError }
    for name in names {
      guard let number = layout.number(ofPackNamed: name) else {
        report.add(.packUnknown, "packs/\(name)", "is not a pack")
        continue
      }
      // A failed commit may leave one of ours in which nothing counts, a compaction one that is about to be removed.
      guard start.ends[number] == nil, number.place <= start.active, !isOurs(number, start.stamp) else { continue }
      report.add(.packUnknown, "packs/\(name)", "is not one of the store's packs")
    }
    // Those with a greater number may have come since. A pack far beyond the active one has not.
    let now = try reading { (database) throws(StoreError) in try VerificationStart(database).active }
    for number in names.compactMap(layout.number(ofPackNamed:)) where number.place > now + 1 {
      report.add(.packUnknown, "packs/\(number).pack", "is not one of the store's packs")
    }
  }

  private mutating func checkPack(
    _ number: PackNumber, _ end: Int64, _ start: VerificationStart, _ gaps: inout HistoryGaps, before: Int64,
    of total: Int64
  ) throws(StoreError) {
    let file: File
    do throws(FileError) {
      file = try File(layout.pack(number), .reading, access: files)
    } catch {
      // It may have been compacted since, and is another file now.
      let now = try reading { (database) throws(StoreError) in try database.committedPacks() }
      if error.isMissing, now[number] == nil, let other = now.first(where: { $0.key.place == number.place }) {
        return try checkPack(other.key, other.value, start, &gaps, before: before, of: total)
      }
      return report.add(
        error.isMissing ? .packMissing : .packCutOff, "pack \(number)",
        error.isMissing ? "\(layout.pack(number)) is missing" : "cannot be read: \(error.inWords)")
    }
    let size = file.size
    if size < end {
      report.add(
        .packCutOff, "pack \(number)", "has \(size) octets; \(end) were committed")
    }
    var scanner = PackScanner(file, end: min(size, end), stamp: PackScanner.isStamped(file) ? start.stamp : nil)
    var records: [PackScanner.Record] = []
    var position: Int64 = 0
    while let item = scanner.next() {
      switch item {
      case .damaged(let range):
        gaps.add(
          PackPosition(segment: number.place, offset: range.lowerBound), octets: Int64(range.count),
          "no record can be read from \(range.lowerBound) to \(range.upperBound)")
      case .record(let record):
        if case .changes(let changes) = record.metadata {
          for case .baselineEnd(let start) in changes { gaps.heal(from: start) }
        } else if record.body == .intact || [.largeBody, .goneBody].contains(record.header.kind) {
          records.append(record)
        }
      }
      guard records.count >= Self.batch || scanner.position - position > 4 << 20 || scanner.position == scanner.end
      else { continue }
      try compare(records, of: number)
      records.removeAll(keepingCapacity: true)
      rate.spend(scanner.position - position)
      report.octets += scanner.position - position
      position = scanner.position
      show("reading packs", before + position, of: total, .octets)
    }
  }

  private func isOurs(_ number: PackNumber, _ stamp: UInt64) -> Bool {
    let file: File
    do throws(FileError) {
      file = try File(layout.pack(number), .reading, access: files)
    } catch {
      // Removed since its name was read.
      return error.isMissing
    }
    let first = PackScanner.first(of: file, end: Int64(PackRecord.compactedBeginningSize))
    guard let first, case .beginning = first.metadata else { return false }
    return first.stamp == stamp
  }

  private mutating func compare(_ records: [PackScanner.Record], of number: PackNumber) throws(StoreError) {
    guard !records.isEmpty else { return }
    let whole = try reading { (database) throws(StoreError) in
      var whole: [Int64] = []
      for record in records where record.header.kind == .body {
        let body = try database.one(
          "SELECT id, pack, position, size, checksum FROM bodies WHERE id = ?", .integer(record.header.bodyID),
          row: StoredBody.init)
        // One that is not named is no longer needed, and takes up space only.
        if body?.pack == number, body?.position == record.bodyPosition, body?.size == Int64(record.header.bodySize),
          body?.checksum == record.header.bodyChecksum
        {
          whole.append(record.header.bodyID)
        }
      }
      return whole
    }
    for id in whole { wholeBodies.insert(id) }
    try confirm { (database) throws(StoreError) in
      var findings: [StoreFinding] = []
      for record in records {
        guard case .placements(let placements) = record.metadata else { continue }
        for placement in placements {
          if let text = try database.contradiction(to: placement, of: record.header) {
            findings.append(
              StoreFinding(
                kind: .recordContradicts, subject: "pack \(number) at \(record.position)",
                text: "\(placement.address) \(placement.mailboxName) UID \(placement.uid): \(text)"))
          }
        }
      }
      return findings
    }
  }

  // MARK: Large files

  mutating func checkLargeFiles(_ start: VerificationStart) throws(StoreError) {
    var bodies: [StoredBody] = []
    // Their files may still be there for a moment, or until the next start.
    var purged: [Int64] = []
    try reading { (database) throws(StoreError) in
      try database.each("SELECT body FROM purged_large") { purged.append($0.integer(0)) }
      try database.each(
        "SELECT id, pack, position, size, checksum FROM bodies WHERE pack IS NULL AND id < ?", .integer(start.nextID)
      ) { bodies.append(StoredBody($0)) }
    }
    let total = bodies.reduce(0) { $0 + $1.size }
    var done: Int64 = 0
    for body in bodies {
      if isCancelled() { throw .closed }
      do throws(BodyProblem) {
        try body.check(layout, files) { count in
          rate.spend(Int64(count))
          done += Int64(count)
          show("reading large files", done, of: total, .octets)
        }
        wholeBodies.insert(body.id)
      } catch {
        // Looked at again with all bodies that are not known to be whole.
      }
    }
    report.octets += done
    let names: [String]
    do throws(FileError) { names = try files.names(in: layout.large) } catch { throw error.storeError }
    let known = Set(bodies.map(\.id)).union(purged)
    for name in names {
      // Files that have come since have greater numbers.
      if let id = Int64(name), known.contains(id) || id >= start.nextID { continue }
      report.add(.fileUnknown, "large/\(name)", "is the body of no message")
    }
  }
}

extension Database {
  /// What a record and the database say differently of a message that is still there.
  fileprivate func contradiction(
    to placement: PackRecord.Placement, of header: PackRecord.Header
  ) throws(StoreError) -> String? {
    let text = try one(
      """
      SELECT account, body, thread, size, internal_date, internal_offset, prefix FROM messages WHERE id = ?
      """, .integer(placement.email)
    ) { row -> String? in
      if row.integer(0) != placement.account { return "the message is of another account" }
      if row.integer(1) != header.bodyID { return "the message has another body" }
      if row.integer(2) != placement.thread { return "the message is in another thread" }
      if row.integer(3) != Int64(placement.prefix.count + header.bodySize) { return "the message has another size" }
      if row.integer(4) != placement.internalDate || row.integer(5) != placement.internalOffset {
        return "the message has another internal date"
      }
      return row.withBlob(6) { $0.elementsEqual(placement.prefix) } ? nil : "the message has other trace fields"
    }
    // No row: it was deleted for good.
    guard case .some(nil) = text else { return text ?? nil }
    let message = try one(
      "SELECT message FROM entries WHERE mailbox = ? AND uid = ?", .integer(placement.mailbox),
      .integer(Int64(placement.uid))
    ) { $0.integer(0) }
    return message == nil || message == placement.email ? nil : "the UID is another message's"
  }
}
