/// The packs that make up the store's history, in their order. The beginning of each says which pack was before it and
/// where that one's committed records end.
struct PackChain {
  struct Link {
    var number: PackNumber
    /// Where its records end that count.
    var end: Int64
    /// Where they ended as it was written, which is what the next pack says of it.
    var writtenEnd: Int64
    /// False where nothing but the file's length tells the end, so that there may have been more.
    var isEndKnown: Bool
    /// Nil for a pack of before there were stamps.
    var stamp: UInt64?
  }

  private(set) var links: [Link] = []
  private(set) var gaps = HistoryGaps()
  /// Packs that are there and not part of the history: what is the matter with each.
  private(set) var strangers: [String] = []
  /// Packs that store.db names and that are not there, with what stands in their places instead.
  private(set) var replacements: [String] = []
  /// Of the store; nil where no pack has one.
  private(set) var stamp: UInt64?
  /// No pack has a later place, and none had.
  private(set) var lastSegment: Int64

  var octets: Int64 { links.reduce(0) { $0 + $1.end } }

  fileprivate struct Candidate {
    var number: PackNumber
    var size: Int64
    var stamp: UInt64?
    /// Nil for an old pack, and for one whose beginning is damaged.
    var beginning: PackBeginning?

    /// What it says of itself does not speak against it.
    var isSound: Bool {
      guard number.isCompacted else { return true }
      return beginning?.compaction.map { $0.generation == number.generation && $0.length <= size } ?? false
    }
  }

  /// - Parameter known: where committed records end as a sound store.db has it.
  init(_ layout: StoreLayout, _ files: FileAccess, known: [PackNumber: Int64]) throws(FileError) {
    let numbers = try files.names(in: layout.packs).compactMap(layout.number(ofPackNamed:)).sorted()
    lastSegment = max(numbers.last?.place ?? 0, known.keys.max()?.place ?? 0)
    var candidates: [Candidate] = []
    for number in numbers { candidates.append(try Candidate(number, layout, files)) }
    candidates = Self.chosen(from: candidates, known)
    for candidate in candidates where known[candidate.number] == nil {
      guard let named = known.keys.first(where: { $0.place == candidate.number.place }) else { continue }
      replacements.append("pack \(named) is missing, and pack \(candidate.number) is in its place")
    }
    var counts: [UInt64: Int] = [:]
    for case let stamp? in candidates.map(\.stamp) { counts[stamp, default: 0] += 1 }
    stamp = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    for index in candidates.indices where candidates[index].stamp == nil {
      candidates[index].stamp = try candidates[index].hiddenStamp(stamp, layout, files)
    }
    candidates.removeAll { candidate in
      guard let other = candidate.stamp, other != stamp else { return false }
      strangers.append("pack \(candidate.number) is of another store")
      return true
    }
    link(candidates, known)
  }

  /// One for each place. A crash may have left two, a pack and what it was compacted to: that which store.db names, and
  /// without its word the last that was finished.
  private static func chosen(from candidates: [Candidate], _ known: [PackNumber: Int64]) -> [Candidate] {
    Dictionary(grouping: candidates, by: \.number.place).values.compactMap { files in
      files.first { known[$0.number] != nil } ?? files.last(where: \.isSound) ?? files.last
    }.sorted { $0.number < $1.number }
  }

  /// From the newest back, since each names the one before it.
  private mutating func link(_ candidates: [Candidate], _ known: [PackNumber: Int64]) {
    // What was said of the pack that comes next; at first what store.db says, where its newest pack is not there.
    var said: PackPosition?
    if let newest = known.max(by: { $0.key < $1.key }), newest.key.place > candidates.last?.number.place ?? 0,
      newest.value > 0
    {
      said = PackPosition(segment: newest.key.place, offset: newest.value)
    }
    if said == nil, let last = candidates.last?.number, last.isCompacted {
      // Nobody compacts the newest pack.
      gaps.add(
        PackPosition(segment: last.place + 1, offset: 0), octets: nil, "the packs after pack \(last) are missing")
    }
    for candidate in candidates.reversed() {
      let (number, place) = (candidate.number, candidate.number.place)
      // Begun, and nothing of it was ever committed.
      if let said, place > said.segment { continue }
      if let said, place < said.segment { addMissing(said) }
      let compaction = candidate.beginning?.compaction
      var end = compaction?.length ?? max(candidate.size, known[number] ?? 0)
      if let said, place == said.segment {
        if !number.isCompacted { end = said.offset }
        if let compaction, compaction.replacedEnd < said.offset {
          gaps.add(
            PackPosition(segment: place, offset: end), octets: said.offset - compaction.replacedEnd,
            "pack \(number) was cut off before it was compacted")
        }
      }
      if candidate.size < end {
        gaps.add(
          PackPosition(segment: place, offset: candidate.size), octets: end - candidate.size,
          "pack \(number) is cut off: \(end - candidate.size) of \(end) octets are missing")
        end = candidate.size
      }
      let isEndKnown = said?.segment == place || compaction != nil || (known[number] ?? 0) >= end
      links.append(
        Link(
          number: number, end: end, writtenEnd: compaction?.replacedEnd ?? end, isEndKnown: isEndKnown,
          stamp: candidate.stamp))
      said = candidate.beginning?.previous
    }
    if let said, said.segment > 0 { addMissing(said) }
    // The first of all packs has none before it, even if it cannot be read to say so.
    if said == nil, let oldest = links.last, oldest.number.place > 1 || oldest.stamp == nil {
      gaps.add(
        PackPosition(segment: 0, offset: 0), octets: nil,
        "pack \(oldest.number), the oldest, does not tell what was there before it")
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
  private static func beginningSize(of number: PackNumber) -> Int64 {
    Int64(number.isCompacted ? PackRecord.compactedBeginningSize : PackRecord.beginningSize)
  }

  fileprivate init(_ number: PackNumber, _ layout: StoreLayout, _ files: FileAccess) throws(FileError) {
    let file = try File(layout.pack(number), .reading, access: files)
    self.init(number: number, size: file.size)
    guard let record = PackScanner.first(of: file, end: Self.beginningSize(of: number)),
      case .beginning(let beginning) = record.metadata,
      record.header.bodyID == number.place, (beginning.compaction != nil) == number.isCompacted
    else { return }
    self.beginning = beginning
    stamp = record.stamp
  }

  /// The store's stamp, if the pack has it although its beginning cannot be read.
  fileprivate func hiddenStamp(_ stamp: UInt64?, _ layout: StoreLayout, _ files: FileAccess) throws(FileError)
    -> UInt64?
  {
    guard let stamp else { return nil }
    let file = try File(layout.pack(number), .reading, access: files)
    let start = Self.beginningSize(of: number)
    var scanner = PackScanner(file, from: start, end: size, stamp: stamp)
    if case .record(let record)? = scanner.next(), record.position == start { return stamp }
    // An old pack begins with a record that has no stamp.
    return PackScanner.first(of: file) == nil ? stamp : nil
  }
}
