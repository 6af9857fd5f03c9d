import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory that is written to. Everything in it is made here, so nothing is ever written over or through a link.
final class OutputFolder {
  let path: String
  private let descriptor: Int32

  /// Made where it is not there; refused where something is in it.
  init(makingEmpty path: String) throws(TransferError) {
    self.path = path
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system("make", path) }
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("write to", path) }
    var isEmpty = true
    try Folder(path).eachName { _ in isEmpty = false }
    guard isEmpty else { throw .source("\(path) is not empty: an export begins with an empty directory") }
  }

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// Makes a directory, or opens the one that was made before.
  func folder(_ name: [UInt8]) throws(TransferError) -> OutputFolder {
    let shown = "\(path)/\(String(decoding: name, as: UTF8.self))"
    guard name.withPath({ mkdirat(descriptor, $0, 0o700) }) == 0 || errno == EEXIST else {
      throw .system("make", shown)
    }
    let opened = name.withPath { openat(descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
    guard opened >= 0 else { throw .system("write to", shown) }
    return OutputFolder(descriptor: opened, path: shown)
  }

  func file(_ name: [UInt8]) throws(TransferError) -> OutputFile {
    let shown = "\(path)/\(String(decoding: name, as: UTF8.self))"
    let opened = name.withPath { openat(descriptor, $0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
    guard opened >= 0 else { throw .system("write", shown) }
    return OutputFile(descriptor: opened, path: shown)
  }

  func move(_ name: [UInt8], to folder: OutputFolder, as newName: [UInt8]) throws(TransferError) {
    let code = name.withPath { old in newName.withPath { renameat(descriptor, old, folder.descriptor, $0) } }
    guard code == 0 else { throw .system("write", "\(folder.path)/\(String(decoding: newName, as: UTF8.self))") }
  }

  func remove(_ name: [UInt8]) { _ = name.withPath { unlinkat(descriptor, $0, 0) } }

  func write(_ text: String, to name: String) throws(TransferError) {
    let file = try file(Array(name.utf8))
    try file.write(Array(text.utf8))
    try file.flush()
  }
}

/// A file that is being written, from its beginning to its end.
final class OutputFile {
  let path: String
  private(set) var size = 0
  private let descriptor: Int32
  private var pending: [UInt8] = []

  private static let pendingLimit = 256 << 10

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8]) throws(TransferError) {
    size += bytes.count
    pending += bytes
    if pending.count >= Self.pendingLimit { try flush() }
  }

  /// Hands everything to the system.
  func flush() throws(TransferError) {
    var failure: TransferError?
    pending.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        #if canImport(Glibc)
          let count = Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        #else
          let count = Darwin.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        #endif
        if count > 0 {
          written += count
        } else if errno != EINTR {
          failure = .system("write", path)
          return
        }
      }
    }
    if let failure { throw failure }
    pending.removeAll(keepingCapacity: pending.count <= Self.pendingLimit)
  }

  /// Takes back what was written behind `newSize`.
  func truncate(to newSize: Int) throws(TransferError) {
    try flush()
    guard ftruncate(descriptor, off_t(newSize)) == 0, lseek(descriptor, off_t(newSize), SEEK_SET) >= 0 else {
      throw .system("write", path)
    }
    size = newSize
  }

  /// The time of its last change, which mail programs take for when a message came.
  func setModified(_ time: Timestamp) {
    let microseconds = time.microseconds - time.seconds * 1_000_000
    let value = timespec(tv_sec: Int(time.seconds), tv_nsec: Int(microseconds) * 1_000)
    var times = [value, value]
    futimens(descriptor, &times)
  }
}
