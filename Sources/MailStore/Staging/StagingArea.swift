import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Where bodies are on their way in: how much memory they may have together, and the spool beyond that.
final class StagingArea: Sendable {
  let threshold: Int
  let files: FileAccess
  /// Threads for blocking work on files.
  let pool: WorkerPool<Void>
  /// Mixed into the hashes of message IDs, so that nobody can prepare two that collide.
  let threadKey: UInt64
  private let directory: String
  private let available: Mutex<Int>
  private let nextName = Atomic<UInt64>(1)

  /// What waits to be written to a spool file before it is, in octets.
  static let spoolChunk = 64 << 10
  /// Bodies above this are parsed on the file threads.
  static let parseInPlaceLimit = 256 << 10
  /// Of a spooled body's header, this much is kept in memory.
  static let headLimit = 1 << 20

  init(
    layout: StoreLayout, files: FileAccess, pool: WorkerPool<Void>, budget: Int, threshold: Int, threadKey: UInt64
  ) {
    self.directory = layout.spool
    self.files = files
    self.pool = pool
    self.threshold = threshold
    self.threadKey = threadKey
    available = Mutex(budget)
  }

  /// Takes `count` octets of the budget, or nothing where there is less.
  func reserve(_ count: Int) -> Bool {
    available.withLock { available in
      guard available >= count else { return false }
      available -= count
      return true
    }
  }

  func release(_ count: Int) {
    guard count > 0 else { return }
    available.withLock { $0 += count }
  }

  /// Blocks.
  func makeSpoolFile() throws(FileError) -> SpoolFile {
    while true {
      let name = nextName.wrappingAdd(1, ordering: .relaxed).oldValue
      do throws(FileError) {
        return SpoolFile(file: try File("\(directory)/\(name)", .creating, access: files), area: self)
      } catch {
        // What the start could not remove is in nobody's way.
        guard error.code == EEXIST else { throw error }
      }
    }
  }
}

/// A file in the spool. It goes away with its last reference, unless the store has made it one of its own.
final class SpoolFile: Sendable {
  let file: File
  private let area: StagingArea
  private let path: Mutex<String?>

  init(file: File, area: StagingArea) {
    self.file = file
    self.area = area
    path = Mutex(file.path)
  }

  /// Gives the file a place among the large bodies. Blocks.
  func move(to newPath: String) throws(FileError) {
    let old = path.withLock { $0 }
    guard let old else { throw FileError(code: ENOENT, path: newPath) }
    try area.files.rename(old, to: newPath)
    path.withLock { $0 = nil }
  }

  /// Takes the file back after `move` when the change that wanted it failed. Blocks.
  func moveBack(from newPath: String) {
    guard (try? area.files.rename(newPath, to: file.path)) != nil else {
      area.files.remove(newPath)
      return
    }
    path.withLock { $0 = file.path }
  }

  deinit {
    guard let path = path.withLock({ $0 }) else { return }
    let files = area.files
    // Freeing a big file's blocks takes time.
    if !area.pool.submit({ _ in files.remove(path) }) { files.remove(path) }
  }
}
