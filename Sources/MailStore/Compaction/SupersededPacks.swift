/// Files of packs that stand in a place of the history for which the database names another file, which is there: those
/// that were compacted, and those to which a compaction came that was not committed.
struct SupersededPacks {
  let numbers: [PackNumber]

  /// - Parameters:
  ///   - files: of all packs that are there.
  ///   - named: what the database names.
  init(files: [PackNumber], named: [PackNumber: Int64]) {
    let places = Set(files.filter { named[$0] != nil }.map(\.place))
    numbers = files.filter { named[$0] == nil && places.contains($0.place) }
  }
}
