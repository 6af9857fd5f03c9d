import SQLite
import Synchronization

/// Reads bodies from packs and from files of their own; keeps a bounded number of files open.
final class BodyReader: Sendable {
  private struct Entry {
    var file: File
    var lastUse: UInt64
  }
  private struct State {
    var files: [String: Entry] = [:]
    var uses: UInt64 = 0
  }

  private let layout: StoreLayout
  private let access: FileAccess
  private let state = Mutex(State())
  private static let openLimit = 128

  init(layout: StoreLayout, access: FileAccess) {
    self.layout = layout
    self.access = access
  }

  /// Bytes of what a client sees: prefix, then body. The range is clamped to the message. Blocks.
  func read(_ content: ContentReference, range: Range<Int>, database: Database) throws(StoreError) -> [UInt8] {
    let range = range.clamped(to: 0..<content.size)
    guard !range.isEmpty else { return [] }
    let prefix = content.prefix
    if range.upperBound <= prefix.count { return Array(prefix[range]) }
    guard let known = try database.location(of: content.bodyID) else { throw .messageNotFound }
    let (file, location) = try open(content.bodyID, at: known)
    let fromPrefix = range.lowerBound < prefix.count ? prefix[range.lowerBound...] : []
    let bodyStart = max(range.lowerBound - prefix.count, 0)
    let bodyEnd = min(range.upperBound - prefix.count, location.size)
    var failure: StoreError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      _ = buffer.update(fromContentsOf: fromPrefix)
      count = fromPrefix.count
      let wanted = max(bodyEnd - bodyStart, 0)
      do throws(FileError) {
        let target = UnsafeMutableRawBufferPointer(
          rebasing: UnsafeMutableRawBufferPointer(buffer)[count..<count + wanted])
        let read = try file.read(into: target, at: location.position + Int64(bodyStart))
        count += read
        if read < wanted { failure = .corrupt("\(file.path) ends inside body \(content.bodyID)") }
      } catch {
        failure = error.storeError
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// These files have been removed: what is open of them takes room until it is closed.
  func forget(_ paths: [String]) {
    // Closed when the last of their readers is done.
    let dropped = state.withLock { state in paths.compactMap { state.files.removeValue(forKey: $0) } }
    _ = dropped
  }

  /// Where the pack is not there any more, it has been compacted since the reader's state of the database, and the body
  /// is where a newer one says.
  private func open(
    _ body: Int64, at known: Database.BodyLocation
  ) throws(StoreError) -> (File, Database.BodyLocation) {
    var location = known
    while true {
      let path = location.pack.map(layout.pack) ?? layout.large(body)
      do throws(FileError) {
        return (try open(path), location)
      } catch {
        guard error.isMissing else { throw error.storeError }
        let latest: Database
        do throws(SQLiteError) {
          latest = try access.openDatabase(layout.database, .reading)
        } catch {
          throw StoreError(error)
        }
        guard let current = try latest.location(of: body) else { throw .messageNotFound }
        guard current != location else { throw .corrupt("\(path) is missing") }
        location = current
      }
    }
  }

  private func open(_ path: String) throws(FileError) -> File {
    let known = state.withLock { state in
      state.uses += 1
      state.files[path]?.lastUse = state.uses
      return state.files[path]?.file
    }
    if let known { return known }
    let file = try File(path, .reading, access: access)
    // A file dropped here is closed when its last reader is done.
    let dropped: File? = state.withLock { state in
      state.files[path] = Entry(file: file, lastUse: state.uses)
      guard state.files.count > Self.openLimit,
        let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse })
      else { return nil }
      return state.files.removeValue(forKey: oldest.key)?.file
    }
    _ = dropped
    // Removed between the two, so that nobody tells to forget it.
    if file.isRemoved { forget([path]) }
    return file
  }
}
