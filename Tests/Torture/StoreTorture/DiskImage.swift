import Foundation

/// What is on a disk: paths are relative to its root, and a directory is there as well as what is in it.
struct DiskImage: Sendable {
  var directories: Set<String> = []
  var files: [String: [UInt8]] = [:]
  init() {}

  /// Makes a directory that holds it.
  func write(to root: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: root, withIntermediateDirectories: true)
    for path in directories.sorted() {
      try manager.createDirectory(atPath: "\(root)/\(path)", withIntermediateDirectories: true)
    }
    for (path, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(root)/\(path)")) }
  }
}
