/// Where things are in the store's directory.
struct StoreLayout: Sendable {
  let root: String

  /// The directory that has the name of ours.
  var parent: String {
    let trimmed = root.utf8.reversed().drop { $0 == UInt8(ascii: "/") }
    let path = trimmed.drop { $0 != UInt8(ascii: "/") }.drop { $0 == UInt8(ascii: "/") }
    if path.isEmpty { return root.utf8.first == UInt8(ascii: "/") ? "/" : "." }
    return String(decoding: path.reversed(), as: UTF8.self)
  }

  var database: String { "\(root)/store.db" }
  var databaseLog: String { "\(root)/store.db-wal" }
  /// The index as it was before it was brought from this schema to a newer one.
  func snapshot(ofSchema version: Int) -> String { "\(root)/store.db.schema-\(version)" }
  func schema(ofSnapshotNamed name: String) -> Int? {
    name.hasPrefix("store.db.schema-") ? Int(name.dropFirst("store.db.schema-".count)) : nil
  }

  /// While a repair builds it.
  var newDatabase: String { "\(root)/store.db.new" }
  var searchIndex: String { "\(root)/search.db" }
  /// While a restore brings its files here. Nobody opens a store that has one of these.
  var restoring: StoreLayout { StoreLayout(root: "\(root)/restore.new") }
  var placing: StoreLayout { StoreLayout(root: "\(root)/restore.placing") }
  var lock: String { "\(root)/lock" }
  var packs: String { "\(root)/packs" }
  var large: String { "\(root)/large" }
  var spool: String { "\(root)/spool" }

  func pack(_ number: PackNumber) -> String { "\(packs)/\(number).pack" }
  func large(_ body: Int64) -> String { "\(large)/\(body)" }

  func number(ofPackNamed name: String) -> PackNumber? {
    guard name.hasSuffix(".pack") else { return nil }
    return PackNumber(name.dropLast(5))
  }

  /// A pack while it is being compacted. What a crash leaves of it goes with the rest of the spool.
  var compacting: String { "\(spool)/compacting" }

  /// Makes what is missing, durably.
  func prepare(_ files: FileAccess) throws(FileError) {
    try files.makeDirectory(root)
    for path in [packs, large, spool] { try files.makeDirectory(path) }
    try files.flushDirectory(root)
    // Not only where it was just made: a start before this one may have come no further than that.
    if !files.exists(database) { try files.flushDirectory(parent) }
  }
}
