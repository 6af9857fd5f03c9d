import MailStore
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A disk that loses, when the power fails, what was not flushed: sectors, sizes, names; any of them or all.
///
/// The store works on real files below `root`. Each change is told to this first, which keeps beside them what the
/// platter would have. A flush of a file makes its contents durable and a flush of a directory the names in it, no more
/// than POSIX promises: a file whose name was not flushed may be gone with all it has.
final class SimulatedDisk: Sendable {
  private let root: String
  private let state: Mutex<State>

  fileprivate enum Node {
    case directory
    /// A number, since a file may change its name.
    case file(Int)
  }

  fileprivate struct State {
    var files: [Int: SimulatedFile] = [:]
    /// Names as programs see them.
    var names: [String: Node] = [:]
    var durableNames: [String: Node] = [:]
    /// Changes of names since their directory was flushed, in order; nil was a removal.
    var pendingNames: [(path: String, node: Node?)] = []
    var nextFile = 0
    var random: SeededGenerator
    var operations = 0
    var cutAt: Int
    var faults: DiskFaults?
    /// What the cut has left.
    var remains: DiskImage?
  }

  /// - Parameters:
  ///   - root: a directory that holds what `image` says.
  ///   - operations: before this one the power fails.
  init(_ image: DiskImage, root: String, seed: UInt64, cutAt operations: Int) {
    self.root = root
    var state = State(random: SeededGenerator(seed: seed), cutAt: operations)
    for path in image.directories { state.names[path] = .directory }
    for (path, bytes) in image.files { state.names[path] = state.newFile(SimulatedFile(durable: bytes)) }
    state.durableNames = state.names
    self.state = Mutex(state)
  }

  /// Nil while there is power.
  var remains: DiskImage? { state.withLock { $0.remains } }

  var operations: Int { state.withLock { $0.operations } }

  /// From now on some operations fail, or none.
  func setFaults(_ faults: DiskFaults?) { state.withLock { $0.faults = faults } }

  /// Whether an operation has been made to fail.
  var hasFailed: Bool { state.withLock { $0.faults?.hasStruck ?? false } }

  /// The power fails now, if it has not.
  func cut() -> DiskImage {
    state.withLock { state in
      let remains = state.remains ?? state.makeRemains()
      state.remains = remains
      return remains
    }
  }

  /// Takes note of an operation; returns the error number it fails with, or 0.
  func perform(_ operation: FileOperation) -> Int32 {
    state.withLock { state in
      // What is told after the cut never reaches anything.
      guard state.remains == nil else { return EIO }
      state.operations += 1
      guard state.operations < state.cutAt else {
        state.remains = state.makeRemains()
        return EIO
      }
      let code = state.faults?.strike(operation) ?? 0
      if code == 0 { return state.perform(operation, relative) }
      // What was under way when the disk failed is at its most delicate right after.
      if state.random.oneIn(6) { state.cutAt = min(state.cutAt, state.operations + state.random.spread(upTo: 16)) }
      return state.fail(operation, code, relative)
    }
  }

  private func relative(_ path: String) -> String {
    precondition(path == root || path.hasPrefix(root + "/"), "\(path) is not on this disk")
    return String(path.dropFirst(root.count + 1))
  }
}

extension SimulatedDisk.State {
  fileprivate mutating func perform(_ operation: FileOperation, _ relative: (String) -> String) -> Int32 {
    switch operation {
    case .makeDirectory(let path):
      name(relative(path), .directory)
    case .create(let path):
      name(relative(path), newFile(SimulatedFile()))
    case .write(let path, let offset, let bytes):
      return change(relative(path)) { $0.write(bytes, at: Int(offset)) }
    case .truncate(let path, let size):
      return change(relative(path)) { $0.truncate(to: Int(size)) }
    case .flush(let path):
      return change(relative(path)) { $0.flush() }
    case .rename(let path, let newPath):
      guard let node = names[relative(path)] else { return ENOENT }
      name(relative(newPath), node)
      name(relative(path), nil)
    case .remove(let path):
      // SQLite's shared memory is there, and not on this disk: no power cut leaves it behind.
      if names[relative(path)] != nil { name(relative(path), nil) }
    case .flushDirectory(let path):
      let directory = relative(path)
      for change in pendingNames where parent(of: change.path) == directory { durableNames[change.path] = change.node }
      pendingNames.removeAll { parent(of: $0.path) == directory }
    }
    return 0
  }

  /// The operation fails, and does half of its work all the same.
  fileprivate mutating func fail(_ operation: FileOperation, _ code: Int32, _ relative: (String) -> String) -> Int32 {
    switch operation {
    case .write(let path, let offset, let bytes) where !bytes.isEmpty:
      let count = Int.random(in: 0..<bytes.count, using: &random)
      _ = change(relative(path)) { $0.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: Int(offset)) }
    case .flush(let path):
      guard case .file(let number) = names[relative(path)] else { return code }
      files[number]?.failFlush(Losses.random(&random), &random)
    default: break
    }
    return code
  }

  mutating func newFile(_ file: SimulatedFile) -> SimulatedDisk.Node {
    defer { nextFile += 1 }
    files[nextFile] = file
    return .file(nextFile)
  }

  private mutating func name(_ path: String, _ node: SimulatedDisk.Node?) {
    names[path] = node
    pendingNames.append((path, node))
  }

  private mutating func change(_ path: String, _ body: (inout SimulatedFile) -> Void) -> Int32 {
    guard case .file(let number) = names[path] else { return ENOENT }
    body(&files[number, default: SimulatedFile()])
    return 0
  }

  fileprivate mutating func makeRemains() -> DiskImage {
    let losses = Losses.random(&random)
    var left = durableNames
    for change in pendingNames where losses.keeps(.name, &random) { left[change.path] = change.node }
    var image = DiskImage()
    for (path, node) in left.sorted(by: { $0.key < $1.key }) {
      // With a directory all goes that is in it. In order of their names, what is above comes first.
      if let above = parent(of: path), !above.isEmpty, !image.directories.contains(above) { continue }
      switch node {
      case .directory: image.directories.insert(path)
      case .file(let number): image.files[path] = files[number]?.afterCut(losses, &random)
      }
    }
    return image
  }
}

/// Empty for what is in the root, nil for the root.
private func parent(of path: String) -> String? {
  if path.isEmpty { return nil }
  return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
}
