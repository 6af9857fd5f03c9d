/// The packs that make up the store's history, in their order. The beginning of each says which pack was before it and
/// where that one's committed records end.
struct PackChain {
  struct Link {
    var segment: Int64
    /// Where its records end that count.
    var end: Int64
    /// False where nothing but the file's length tells the end, so that there may have been more.
    var isEndKnown: Bool
    /// Nil for a pack of before there were stamps.
    var stamp: UInt64?
  }

  private(set) var links: [Link] = []
  private(set) var gaps = HistoryGaps()
  /// Packs that are there and not part of the history: what is the matter with each.
  private(set) var strangers: [String] = []
  /// Of the store; nil where no pack has one.
  private(set) var stamp: UInt64?
  /// No pack has a greater number, and none had.
  private(set) var lastSegment: Int64

  var octets: Int64 { links.reduce(0) { $0 + $1.end } }

  fileprivate struct Candidate {
    var segment: Int64
    var size: Int64
    var stamp: UInt64?
    /// Nil for an old pack, and for one whose beginning is damaged.
    var previous: PackPosition?
  }

  /// - Parameter known: where committed records end as a sound store.db has it.
  init(_ layout: StoreLayout, _ files: FileAccess, known: [Int64: Int64]) throws(FileError) {
    let segments = try files.names(in: layout.packs).compactMap(layout.segment(ofPackNamed:)).sorted()
    lastSegment = max(segments.last ?? 0, known.keys.max() ?? 0)
    var candidates: [Candidate] = []
    for segment in segments { candidates.append(try Candidate(segment, layout, files)) }
    var counts: [UInt64: Int] = [:]
    for case let stamp? in candidates.map(\.stamp) { counts[stamp, default: 0] += 1 }
    stamp = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    for index in candidates.indices where candidates[index].stamp == nil {
      candidates[index].stamp = try candidates[index].hiddenStamp(stamp, layout, files)
    }
    candidates.removeAll { candidate in
      guard let other = candidate.stamp, other != stamp else { return false }
      strangers.append("pack \(candidate.segment) is of another store")
      return true
    }
    link(candidates, known)
  }

  /// From the newest back, since each names the one before it.
  private mutating func link(_ candidates: [Candidate], _ known: [Int64: Int64]) {
    // What was said of the pack that comes next; at first what store.db says, where its newest pack is not there.
    var said: PackPosition?
    if let newest = known.max(by: { $0.key < $1.key }), newest.key > candidates.last?.segment ?? 0, newest.value > 0 {
      said = PackPosition(segment: newest.key, offset: newest.value)
    }
    for candidate in candidates.reversed() {
      // Begun, and nothing of it was ever committed.
      if let said, candidate.segment > said.segment { continue }
      if let said, candidate.segment < said.segment { addMissing(said) }
      var end = max(candidate.size, known[candidate.segment] ?? 0)
      if let said, candidate.segment == said.segment { end = said.offset }
      if candidate.size < end {
        gaps.add(
          PackPosition(segment: candidate.segment, offset: candidate.size), octets: end - candidate.size,
          "pack \(candidate.segment) is cut off: \(end - candidate.size) of \(end) octets are missing")
        end = candidate.size
      }
      let isEndKnown = said?.segment == candidate.segment || (known[candidate.segment] ?? 0) >= end
      links.append(Link(segment: candidate.segment, end: end, isEndKnown: isEndKnown, stamp: candidate.stamp))
      said = candidate.previous
    }
    if let said, said.segment > 0 { addMissing(said) }
    // The first of all packs has none before it, even if it cannot be read to say so.
    if said == nil, let oldest = links.last, oldest.segment > 1 || oldest.stamp == nil {
      gaps.add(
        PackPosition(segment: 0, offset: 0), octets: nil,
        "pack \(oldest.segment), the oldest, does not tell what was there before it")
    }
    links.reverse()
  }

  private mutating func addMissing(_ end: PackPosition) {
    gaps.add(
      PackPosition(segment: end.segment, offset: 0), octets: end.offset,
      "pack \(end.segment) is missing: \(end.offset) octets")
  }
}

extension PackChain.Candidate {
  fileprivate init(_ segment: Int64, _ layout: StoreLayout, _ files: FileAccess) throws(FileError) {
    let file = try File(layout.pack(segment), .reading, access: files)
    self.init(segment: segment, size: file.size)
    var scanner = PackScanner(file, end: min(size, Int64(PackRecord.beginningSize)), stamp: nil)
    guard case .record(let record)? = scanner.next(), case .beginning(let previous) = record.metadata,
      record.header.bodyID == segment
    else { return }
    self.previous = previous
    stamp = record.stamp
  }

  /// The store's stamp, if the pack has it although its beginning cannot be read.
  fileprivate func hiddenStamp(_ stamp: UInt64?, _ layout: StoreLayout, _ files: FileAccess) throws(FileError)
    -> UInt64?
  {
    guard let stamp else { return nil }
    let file = try File(layout.pack(segment), .reading, access: files)
    var scanner = PackScanner(file, from: Int64(PackRecord.beginningSize), end: size, stamp: stamp)
    if case .record(let record)? = scanner.next(), record.position == Int64(PackRecord.beginningSize) { return stamp }
    var first = PackScanner(file, end: size, stamp: nil)
    // An old pack begins with a record that has no stamp.
    if case .record? = first.next() { return nil }
    return stamp
  }
}
