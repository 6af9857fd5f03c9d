#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A unix socket from the side of the one who connects; blocking, for commands and for telling the service manager.
struct LocalSocket: ~Copyable {
  private let descriptor: Int32
  /// Read, and not given out as a line yet.
  private var rest: [UInt8] = []

  enum Kind {
    case stream
    case datagram
  }

  /// - Parameter path: a leading `@` is Linux's abstract namespace.
  init(connectingTo path: String, _ kind: Kind = .stream) throws(FileProblem) {
    descriptor = try Self.connect(to: path, kind)
  }

  deinit { close(descriptor) }

  borrowing func send(_ bytes: [UInt8]) -> Bool { writeAll(bytes, to: descriptor) }

  /// Reads up to and without the next LF, or to the end; nil where nothing came in time.
  mutating func readLine(limit: Int, seconds: Int) -> [UInt8]? {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    var chunk = [UInt8](repeating: 0, count: 16_384)
    var searched = 0
    while searched <= limit {
      if let end = rest[searched...].firstIndex(of: 0x0A) {
        defer { rest.removeSubrange(...end) }
        return Array(rest[..<end])
      }
      searched = rest.count
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        defer { rest = [] }
        return rest.isEmpty ? nil : rest
      }
      rest.append(contentsOf: chunk[..<count])
    }
    return nil
  }

  private static func connect(to path: String, _ kind: Kind) throws(FileProblem) -> Int32 {
    #if canImport(Glibc)
      let type = Int32((kind == .stream ? SOCK_STREAM : SOCK_DGRAM).rawValue)
      let connectSocket = Glibc.connect
    #else
      let type = kind == .stream ? SOCK_STREAM : SOCK_DGRAM
      let connectSocket = Darwin.connect
    #endif
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    if name.first == UInt8(ascii: "@") { name[0] = 0 }
    guard !name.isEmpty, name.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw FileProblem(path: path, action: "connect to", code: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    let length = socklen_t(offset + name.count + (name[0] == 0 ? 0 : 1))

    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw FileProblem(path: path, action: "connect to", code: errno) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connectSocket(descriptor, $0, length) }
    }
    guard result == 0 else {
      let code = errno
      close(descriptor)
      throw FileProblem(path: path, action: "connect to", code: code)
    }
    return descriptor
  }
}
