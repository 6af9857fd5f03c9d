import SQLite

/// A directory that a backup is kept in: a store that nobody serves, with a note of what it is.
///
/// ```
/// store.db     as one state of the store had it; replaced last
/// packs/       what that state names of them
/// large/       the files that it names
/// backup.json  when it was made, and what is in it
/// lock         held while a backup is written or read
/// ```
struct BackupDirectory {
  let layout: StoreLayout
  let files: FileAccess

  init(_ path: String, files: FileAccess) {
    layout = StoreLayout(root: path)
    self.files = files
  }

  var manifest: String { "\(layout.root)/backup.json" }
  private var newManifest: String { "\(layout.root)/backup.json.new" }

  private static let ownNames: Set<String> = [
    "store.db", "store.db.new", "store.db.new-journal", "packs", "large", "backup.json", "backup.json.new", "lock",
  ]

  /// Makes what is missing. Throws where the directory is used for something else.
  func prepare() throws(StoreError) {
    do throws(FileError) {
      try files.makeDirectory(layout.root)
      for name in try files.names(in: layout.root).sorted() where !Self.ownNames.contains(name) {
        throw FileError(code: 0, path: name)
      }
      for path in [layout.packs, layout.large] { try files.makeDirectory(path) }
      try files.flushDirectory(layout.root)
      // Not only where it was just made: a run before this one may have come no further than that.
      if !files.exists(layout.database) { try files.flushDirectory(layout.parent) }
    } catch {
      guard error.code == 0 else { throw error.storeError }
      throw .inputOutput(
        error.path == "spool"
          ? "\(layout.root) has been opened as a store; back up into another directory"
          : "\(layout.root) is not a backup: there is \(error.path) in it")
    }
  }

  /// Throws where another process writes or reads it.
  func lock() throws(StoreError) -> StoreLock {
    do throws(StoreError) {
      return try StoreLock(layout.lock, files: files)
    } catch .locked {
      throw .inputOutput("\(layout.root): another backup or restore is at work there")
    }
  }

  /// How far each pack goes by its own `store.db`; empty where there is none yet.
  func committedEnds() -> [PackNumber: Int64] {
    guard files.exists(layout.database), let database = try? files.openDatabase(layout.database, .reading)
    else { return [:] }
    return (try? database.committedPacks()) ?? [:]
  }

  /// Replaces the note, durably.
  func write(_ report: BackupReport, _ options: BackupOptions, time: Int64) throws(StoreError) {
    func text(_ value: String) -> String {
      let plain = value.unicodeScalars.filter { $0.value >= 0x20 && $0.value < 0x7F && $0 != "\"" && $0 != "\\" }
      return "\"\(String(String.UnicodeScalarView(plain)))\""
    }
    let lines = [
      "\"format\": 1", "\"version\": \(text(options.version))", "\"time\": \(time)",
      "\"hostname\": \(options.hostname.map(text) ?? "null")", "\"accounts\": \(report.accounts)",
      "\"mailboxes\": \(report.mailboxes)", "\"messages\": \(report.messages)", "\"packs\": \(report.packs)",
      "\"largeFiles\": \(report.largeFiles)", "\"octets\": \(report.octets)",
    ]
    let bytes = Array("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8)
    do throws(FileError) {
      let file = try File(newManifest, .writing, access: files)
      try file.truncate(to: 0)
      var failure: FileError?
      bytes.withUnsafeBytes { do throws(FileError) { try file.write($0, at: 0) } catch { failure = error } }
      if let failure { throw failure }
      try file.flush()
      try files.rename(newManifest, to: manifest)
      try files.flushDirectory(layout.root)
    } catch {
      throw error.storeError
    }
  }
}
