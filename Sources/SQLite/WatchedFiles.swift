import CSQLite
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What SQLite is about to do to one of its files.
package enum DatabaseFileOperation {
  /// A file that is not there yet.
  case create(String)
  /// The bytes are lent for the time of the call.
  case write(String, at: Int64, UnsafeRawBufferPointer)
  case truncate(String, to: Int64)
  case flush(String)
  case remove(String)
  /// Makes the names in a directory durable.
  case flushDirectory(String)
}

/// The system's files with a watcher before them, which sees each change before it is made and may refuse it: a VFS of
/// SQLite's that a `Database` is opened with by name. Shared memory and locks are the system's own.
package final class WatchedFiles: @unchecked Sendable {
  /// Returns the error number with which the operation is to fail, or 0.
  package typealias Watcher = @Sendable (DatabaseFileOperation) -> Int32

  /// As SQLite knows it.
  let name: UnsafeMutablePointer<CChar>
  private let watcher: Watcher
  fileprivate let system: UnsafeMutablePointer<sqlite3_vfs>
  /// The number of the last refusal: SQLite asks for it some calls later.
  fileprivate let lastError = Atomic<Int32>(0)
  // Never changed once registered, which is what makes this Sendable.
  private let registered: UnsafeMutablePointer<sqlite3_vfs>

  private static let count = Atomic(0)

  package init(_ watcher: @escaping Watcher) {
    self.watcher = watcher
    let number = Self.count.add(1, ordering: .relaxed).newValue
    name = strdup("watched \(number)")
    guard let system = sqlite3_vfs_find(nil) else { preconditionFailure("SQLite has no files") }
    self.system = system
    registered = .allocate(capacity: 1)
    // What is not replaced here is called with this VFS and does not mind.
    registered.initialize(to: system.pointee)
    registered.pointee.zName = UnsafePointer(name)
    registered.pointee.szOsFile = Int32(WatchedFile.size) + system.pointee.szOsFile
    registered.pointee.xOpen = openWatched
    registered.pointee.xDelete = removeWatched
    registered.pointee.xGetLastError = lastErrorWatched
    registered.pointee.pAppData = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_vfs_register(registered, 0)
  }

  fileprivate func ask(_ operation: DatabaseFileOperation) -> Int32 {
    let code = watcher(operation)
    if code != 0 { lastError.store(code, ordering: .relaxed) }
    return code
  }

  /// Every database opened with it holds on to it.
  deinit {
    sqlite3_vfs_unregister(registered)
    registered.deallocate()
    free(name)
  }
}

// MARK: A file, as SQLite holds it

/// What stands before the system's own file in the memory that SQLite gives to each.
private struct WatchedFile {
  var base: sqlite3_file
  var files: Unmanaged<WatchedFiles>
  /// SQLite's, which keeps it until the file is closed. Nil for a temporary file, which nobody watches.
  var path: UnsafePointer<CChar>?
  /// The system flushes the directory of a new log or journal with the file's first flush, as `unixSync` does.
  var flushesDirectory: Bool

  /// The system's file begins at this offset, aligned for anything.
  static let size = (MemoryLayout<WatchedFile>.stride + 15) / 16 * 16

  func ask(_ operation: (String) -> DatabaseFileOperation) -> Int32 {
    guard let path else { return 0 }
    return files._withUnsafeGuaranteedRef { $0.ask(operation(String(cString: path))) }
  }
}

/// SQLite's extended result codes, whose macros Swift does not see.
private enum IOError {
  static let write = SQLITE_IOERR | 3 << 8
  static let flush = SQLITE_IOERR | 4 << 8
  static let flushDirectory = SQLITE_IOERR | 5 << 8
  static let truncate = SQLITE_IOERR | 6 << 8
  static let remove = SQLITE_IOERR | 10 << 8
}

private typealias FilePointer = UnsafeMutablePointer<sqlite3_file>

private func watched(_ file: FilePointer) -> UnsafeMutablePointer<WatchedFile> {
  UnsafeMutableRawPointer(file).assumingMemoryBound(to: WatchedFile.self)
}

private func system(_ file: FilePointer) -> FilePointer {
  (UnsafeMutableRawPointer(file) + WatchedFile.size).assumingMemoryBound(to: sqlite3_file.self)
}

private func openWatched(
  _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _ path: UnsafePointer<CChar>?, _ file: FilePointer?, _ flags: Int32,
  _ flagsGiven: UnsafeMutablePointer<Int32>?
) -> Int32 {
  guard let vfs, let file, let context = vfs.pointee.pAppData else { return SQLITE_MISUSE }
  let files = Unmanaged<WatchedFiles>.fromOpaque(context)
  file.pointee.pMethods = nil
  let isTemporary = flags & SQLITE_OPEN_DELETEONCLOSE != 0
  let creates = flags & SQLITE_OPEN_CREATE != 0
  let kinds = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL
  let state = WatchedFile(
    base: sqlite3_file(pMethods: nil), files: files, path: isTemporary ? nil : path,
    flushesDirectory: creates && flags & kinds != 0)
  if let path = state.path, creates, access(path, F_OK) != 0, state.ask({ .create($0) }) != 0 {
    return SQLITE_CANTOPEN
  }
  let original = files._withUnsafeGuaranteedRef { $0.system }
  let code = original.pointee.xOpen(original, path, system(file), flags, flagsGiven)
  guard code == SQLITE_OK else { return code }
  watched(file).initialize(to: state)
  file.pointee.pMethods = UnsafePointer(methods)
  return SQLITE_OK
}

private func removeWatched(
  _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _ path: UnsafePointer<CChar>?, _ flushesDirectory: Int32
) -> Int32 {
  guard let vfs, let path, let context = vfs.pointee.pAppData else { return SQLITE_MISUSE }
  let files = Unmanaged<WatchedFiles>.fromOpaque(context)
  return files._withUnsafeGuaranteedRef { files in
    let name = String(cString: path)
    if access(path, F_OK) == 0, files.ask(.remove(name)) != 0 { return IOError.remove }
    if flushesDirectory != 0, files.ask(.flushDirectory(directory(of: name))) != 0 { return IOError.flushDirectory }
    return files.system.pointee.xDelete(files.system, path, flushesDirectory)
  }
}

private func lastErrorWatched(
  _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _: Int32, _: UnsafeMutablePointer<CChar>?
) -> Int32 {
  let systemError = errno
  guard let context = vfs?.pointee.pAppData else { return systemError }
  let refused = Unmanaged<WatchedFiles>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.lastError.load(ordering: .relaxed) }
  return refused != 0 ? refused : systemError
}

private func directory(of path: String) -> String {
  path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? "."
}

/// The same for all watched files. Without the third version's mapping of the database into memory, all writes come
/// through here.
private nonisolated(unsafe) let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
  let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
  methods.initialize(
    to: sqlite3_io_methods(
      iVersion: 2,
      xClose: { file in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xClose(system(file))
      },
      xRead: { file, bytes, count, offset in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xRead(system(file), bytes, count, offset)
      },
      xWrite: { file, bytes, count, offset in
        guard let file else { return SQLITE_MISUSE }
        let lent = UnsafeRawBufferPointer(start: bytes, count: Int(count))
        switch watched(file).pointee.ask({ .write($0, at: offset, lent) }) {
        case 0: return system(file).pointee.pMethods.pointee.xWrite(system(file), bytes, count, offset)
        case ENOSPC: return SQLITE_FULL
        default: return IOError.write
        }
      },
      xTruncate: { file, size in
        guard let file else { return SQLITE_MISUSE }
        guard watched(file).pointee.ask({ .truncate($0, to: size) }) == 0 else { return IOError.truncate }
        return system(file).pointee.pMethods.pointee.xTruncate(system(file), size)
      },
      xSync: { file, flags in
        guard let file else { return SQLITE_MISUSE }
        guard watched(file).pointee.ask({ .flush($0) }) == 0 else { return IOError.flush }
        if watched(file).pointee.flushesDirectory {
          // The system's own does not look at the outcome of this either.
          _ = watched(file).pointee.ask { .flushDirectory(directory(of: $0)) }
          watched(file).pointee.flushesDirectory = false
        }
        return system(file).pointee.pMethods.pointee.xSync(system(file), flags)
      },
      xFileSize: { file, size in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xFileSize(system(file), size)
      },
      xLock: { file, level in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xLock(system(file), level)
      },
      xUnlock: { file, level in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xUnlock(system(file), level)
      },
      xCheckReservedLock: { file, answer in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xCheckReservedLock(system(file), answer)
      },
      xFileControl: { file, operation, argument in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xFileControl(system(file), operation, argument)
      },
      xSectorSize: { file in
        guard let file else { return 0 }
        return system(file).pointee.pMethods.pointee.xSectorSize(system(file))
      },
      xDeviceCharacteristics: { file in
        guard let file else { return 0 }
        return system(file).pointee.pMethods.pointee.xDeviceCharacteristics(system(file))
      },
      xShmMap: { file, page, size, extends, memory in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xShmMap(system(file), page, size, extends, memory)
      },
      xShmLock: { file, offset, count, flags in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xShmLock(system(file), offset, count, flags)
      },
      xShmBarrier: { file in
        guard let file else { return }
        system(file).pointee.pMethods.pointee.xShmBarrier(system(file))
      },
      xShmUnmap: { file, removes in
        guard let file else { return SQLITE_MISUSE }
        return system(file).pointee.pMethods.pointee.xShmUnmap(system(file), removes)
      },
      xFetch: nil, xUnfetch: nil))
  return methods
}()
