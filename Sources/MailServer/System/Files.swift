#if canImport(Glibc)
  package import Glibc
#else
  package import Darwin
#endif

/// What the system said no with when a file was to be read or written.
package struct FileProblem: Error, Hashable, Sendable, CustomStringConvertible {
  package var path: String
  package var action: String
  package var code: Int32
  package var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}

/// Reads a whole file of at most `limit` octets.
package func readFileBytes(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw FileProblem(path: path, action: "read", code: errno) }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    if count == 0 { return bytes }
    guard count > 0 else {
      if errno == EINTR { continue }
      throw FileProblem(path: path, action: "read", code: errno)
    }
    bytes.append(contentsOf: chunk[..<count])
    guard bytes.count <= limit else { throw FileProblem(path: path, action: "read", code: EFBIG) }
  }
}

/// Writes a file whole or not at all, flushed, readable by `mode`.
package func writeFileBytes(_ bytes: [UInt8], to path: String, mode: mode_t) throws(FileProblem) {
  let temporary = path + ".new"
  unlink(temporary)
  let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
  guard descriptor >= 0 else { throw FileProblem(path: temporary, action: "write", code: errno) }
  defer { close(descriptor) }
  guard writeAll(bytes, to: descriptor), fsync(descriptor) == 0 else {
    throw FileProblem(path: temporary, action: "write", code: errno)
  }
  guard rename(temporary, path) == 0 else { throw FileProblem(path: path, action: "write", code: errno) }
}

/// Writes everything, going on after a part or an interruption. False: see `errno`.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  bytes.withUnsafeBytes { buffer in
    var written = 0
    while written < buffer.count {
      let count = write(descriptor, buffer.baseAddress! + written, buffer.count - written)
      if count > 0 {
        written += count
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }
}

/// Makes a directory that only its owner can enter, with its parents.
package func makePrivateDirectory(_ path: String) throws(FileProblem) {
  var status = stat()
  if stat(path, &status) == 0 {
    guard status.st_mode & S_IFMT == S_IFDIR else { throw FileProblem(path: path, action: "use", code: ENOTDIR) }
    return
  }
  if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
    try makePrivateDirectory(String(path[..<slash]))
  }
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileProblem(path: path, action: "make", code: errno) }
}

/// The names in a directory, sorted, without those that begin with a dot.
package func directoryNames(_ path: String) throws(FileProblem) -> [String] {
  guard let directory = opendir(path) else { throw FileProblem(path: path, action: "read", code: errno) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names.sorted()
}

package func isDirectory(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

package func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// A new private directory for temporary files.
package func makeTemporaryDirectory(prefix: String) throws(FileProblem) -> String {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(base)/\(prefix).XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw FileProblem(path: base, action: "write in", code: errno) }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a directory and everything in it. Does not follow links.
package func removeTree(_ path: String) {
  var status = stat()
  guard lstat(path, &status) == 0 else { return }
  if status.st_mode & S_IFMT == S_IFDIR {
    if let directory = opendir(path) {
      var names: [String] = []
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
      }
      closedir(directory)
      for name in names { removeTree("\(path)/\(name)") }
    }
    rmdir(path)
  } else {
    unlink(path)
  }
}
