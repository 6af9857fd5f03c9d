import SQLite

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the store is about to do to one of its files, SQLite's among them. Tests watch this and make one fail.
package enum FileOperation {
  case makeDirectory(String)
  /// A file that is not there yet.
  case create(String)
  /// The bytes are lent for the time of the call.
  case write(String, at: Int64, UnsafeRawBufferPointer)
  case truncate(String, to: Int64)
  /// Contents, and the size where it changed.
  case flush(String)
  case rename(String, to: String)
  case remove(String)
  /// Makes the names in a directory durable.
  case flushDirectory(String)

  /// What it is done to; of a renaming, the new name.
  package var path: String {
    switch self {
    case .makeDirectory(let path), .create(let path), .write(let path, _, _), .truncate(let path, _), .flush(let path),
      .rename(_, let path), .remove(let path), .flushDirectory(let path):
      path
    }
  }
}

/// A system call that failed.
struct FileError: Error {
  let code: Int32
  let path: String
  var isMissing: Bool { code == ENOENT }
  var inWords: String { "\(String(cString: strerror(code))): \(path)" }
  var storeError: StoreError {
    switch code {
    case ENOSPC, EDQUOT, EFBIG: .deviceFull
    default: .inputOutput(inWords)
    }
  }
}

/// The one place through which the store changes files, so that all of it can be watched and faults can be put in.
struct FileAccess: Sendable {
  /// Returns the error number with which the operation is to fail, or 0.
  private let fault: (@Sendable (FileOperation) -> Int32)?
  private let databaseFiles: WatchedFiles?

  init(fault: (@Sendable (FileOperation) -> Int32)? = nil) {
    self.fault = fault
    databaseFiles = fault.map { fault in WatchedFiles { fault(FileOperation($0)) } }
  }

  func check(_ operation: @autoclosure () -> FileOperation, path: String) throws(FileError) {
    guard let fault else { return }
    let code = fault(operation())
    if code != 0 { throw FileError(code: code, path: path) }
  }

  func openDatabase(_ path: String, _ access: Database.Access, cacheBytes: Int = 16 << 20) throws(SQLiteError)
    -> Database
  {
    try Database(path: path, access: access, cacheBytes: cacheBytes, files: databaseFiles)
  }

  func makeDirectory(_ path: String) throws(FileError) {
    if exists(path) { return }
    try check(.makeDirectory(path), path: path)
    guard mkdir(path, 0o700) != 0 else { return }
    guard errno == EEXIST else { throw FileError(code: errno, path: path) }
  }

  func rename(_ path: String, to newPath: String) throws(FileError) {
    try check(.rename(path, to: newPath), path: newPath)
    guard Self.systemRename(path, newPath) == 0 else { throw FileError(code: errno, path: newPath) }
  }

  private static func systemRename(_ path: String, _ newPath: String) -> Int32 {
    #if canImport(Glibc)
      Glibc.rename(path, newPath)
    #else
      Darwin.rename(path, newPath)
    #endif
  }

  func remove(_ path: String) {
    guard !isWatched || exists(path) && fault?(.remove(path)) ?? 0 == 0 else { return }
    unlink(path)
  }

  /// A database with its log.
  func removeDatabase(_ path: String) { for suffix in ["", "-wal", "-shm"] { remove(path + suffix) } }

  func removeDirectory(_ path: String) {
    guard fault?(.remove(path)) ?? 0 == 0 else { return }
    rmdir(path)
  }

  /// Makes the names in a directory durable: files made, renamed, removed.
  func flushDirectory(_ path: String) throws(FileError) {
    try check(.flushDirectory(path), path: path)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(code: errno, path: path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileError(code: errno, path: path) }
  }

  func names(in path: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else { throw FileError(code: errno, path: path) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// In octets; 0 where there is no such file.
  func size(of path: String) -> Int64 {
    var status = stat()
    return stat(path, &status) == 0 ? Int64(status.st_size) : 0
  }

  func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
  func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

  fileprivate var isWatched: Bool { fault != nil }
}

extension FileOperation {
  fileprivate init(_ operation: DatabaseFileOperation) {
    switch operation {
    case .create(let path): self = .create(path)
    case .write(let path, let offset, let bytes): self = .write(path, at: offset, bytes)
    case .truncate(let path, let size): self = .truncate(path, to: size)
    case .flush(let path): self = .flush(path)
    case .remove(let path): self = .remove(path)
    case .flushDirectory(let path): self = .flushDirectory(path)
    }
  }
}

/// An open file, closed with its last reference. Safe from any thread: all access names its offset.
final class File: Sendable {
  enum Mode {
    case reading
    /// Made if it is not there.
    case writing
    /// Must not be there.
    case creating
  }

  let path: String
  let descriptor: Int32
  private let access: FileAccess

  init(_ path: String, _ mode: Mode, access: FileAccess) throws(FileError) {
    self.path = path
    self.access = access
    let flags =
      switch mode {
      case .reading: O_RDONLY
      case .writing: O_RDWR | O_CREAT
      case .creating: O_RDWR | O_CREAT | O_EXCL
      }
    if flags & O_CREAT != 0, access.isWatched, !access.exists(path) { try access.check(.create(path), path: path) }
    descriptor = open(path, flags | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FileError(code: errno, path: path) }
  }

  deinit { close(descriptor) }

  var size: Int64 {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
  }

  /// Nothing names it any more.
  var isRemoved: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
    try access.check(.write(path, at: offset, bytes), path: path)
    var written = 0
    while written < bytes.count {
      let count = pwrite(
        descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(offset) + off_t(written))
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError(code: errno, path: path)
      }
      written += count
    }
  }

  /// Fills `buffer` from `offset`; returns the bytes read, fewer only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset) + off_t(filled))
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError(code: errno, path: path)
      }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Contents, and the size where it changed, are on the disk when this returns.
  func flush() throws(FileError) {
    try access.check(.flush(path), path: path)
    #if canImport(Glibc)
      let code = fdatasync(descriptor)
    #else
      // Only this reaches the disk itself there.
      let code = fcntl(descriptor, F_FULLFSYNC)
    #endif
    guard code == 0 else { throw FileError(code: errno, path: path) }
  }

  func truncate(to size: Int64) throws(FileError) {
    try access.check(.truncate(path, to: size), path: path)
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileError(code: errno, path: path) }
  }

  /// False if another process (or another open of this one) holds the lock. Held until the file is closed.
  func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  /// Gives the contents as memory for the time of `body`.
  func withMapping<Result>(size: Int, _ body: (UnsafeRawBufferPointer) -> Result) throws(FileError) -> Result {
    guard size > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw FileError(code: errno, path: path)
    }
    defer { munmap(address, size) }
    return body(UnsafeRawBufferPointer(start: address, count: size))
  }
}
