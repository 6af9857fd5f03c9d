#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An open directory of a source. Names are octets, because a file system knows no charset; symbolic links in it are
/// not followed, because whoever owns a mail folder should not have files read that are not theirs.
final class Folder {
  let path: String
  let descriptor: Int32

  /// The source itself, as the person named it: here a link is followed.
  init(_ path: String) throws(TransferError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("read", path) }
  }

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// Nil where there is no such directory.
  func folder(_ name: [UInt8]) -> Folder? {
    let opened = name.withPath { openat(descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
    guard opened >= 0 else { return nil }
    return Folder(descriptor: opened, path: "\(path)/\(String(decoding: name, as: UTF8.self))")
  }

  func folder(_ name: String) -> Folder? { folder(Array(name.utf8)) }

  func file(_ name: [UInt8]) throws(TransferError) -> InputFile {
    let shown = "\(path)/\(String(decoding: name, as: UTF8.self))"
    // Non-blocking, so that a pipe somebody has put there holds nobody up.
    let opened = name.withPath { openat(descriptor, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
    guard opened >= 0 else { throw .system("read", shown) }
    return try InputFile(descriptor: opened, path: shown)
  }

  func file(_ name: String) throws(TransferError) -> InputFile { try file(Array(name.utf8)) }

  /// Nil where there is none that can be read.
  func fileIfThere(_ name: String) -> InputFile? { try? file(name) }

  /// Gives each name to `body`, in no order, without `.` and `..`.
  func eachName(_ body: (UnsafeRawBufferPointer) -> Void) throws(TransferError) {
    // A descriptor of its own: reading a directory moves a position that copies share.
    let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else { throw .system("read", path) }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        let name = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.firstIndex(of: 0) ?? bytes.count)])
        if !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) { body(name) }
      }
    }
  }

  /// In the order of their octets.
  func names() throws(TransferError) -> [[UInt8]] {
    var names: [[UInt8]] = []
    try eachName { names.append(Array($0)) }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// True if something is called so.
  func has(_ name: [UInt8]) -> Bool {
    var status = stat()
    return name.withPath { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0
  }

  /// True for a directory itself, not for a link to one.
  func isFolder(_ name: [UInt8]) -> Bool {
    var status = stat()
    return name.withPath { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0
      && status.st_mode & S_IFMT == S_IFDIR
  }

  func isFolder(_ name: String) -> Bool { isFolder(Array(name.utf8)) }
}

extension [UInt8] {
  /// As the system wants a path. A NUL cannot be in a name that came from it.
  func withPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (self + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }
    }
  }
}

extension TransferError {
  /// What the system has just said no with.
  static func system(_ action: String, _ path: String) -> TransferError {
    let code = errno
    if code == ELOOP { return .source("\(path) is a symbolic link, which is not followed") }
    return .source("cannot \(action) \(path): \(String(cString: strerror(code)))")
  }
}

func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}
