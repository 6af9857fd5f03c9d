#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A listening socket that is ours, apart from the channel that accepts on it.
///
/// NIO closes a channel whose `accept` fails in a way it does not know (EPERM by a firewall or a sandbox, for example).
/// The channel gets a duplicate, so that the port and its queue stay ours and another channel can go on.
struct ListeningSocket {
  let descriptor: Int32
  /// 0 for local sockets.
  let port: UInt16
  let isLocal: Bool
  /// The file of a local socket that we have made.
  private let path: String?

  static let backlog: Int32 = 1_024

  init(_ configuration: ListenerConfiguration) throws(ListenError) {
    do throws(SystemFailure) {
      switch configuration.endpoint {
      case .internet(let host, let port): try self.init(host: host, port: port)
      case .local(let path): try self.init(path: path, mode: configuration.localSocketMode)
      case .descriptor(let descriptor): try self.init(inherited: descriptor)
      }
    } catch {
      throw ListenError(endpoint: configuration.endpoint, reason: error.reason)
    }
  }

  /// A descriptor for the same socket, to be owned by a channel.
  func duplicate() -> Int32? {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    return copy >= 0 ? copy : nil
  }

  func close() {
    sysClose(descriptor)
    if let path { unlink(path) }
  }

  private init(host: String, port: UInt16) throws(SystemFailure) {
    var lastFailure = SystemFailure("no address for \(host)", code: 0)
    // Both families on one socket; where the system has no IPv6 at all, IPv4 alone.
    for address in host == "*" ? ["::", "0.0.0.0"] : [host] {
      do throws(SystemFailure) {
        let descriptor = try Self.open(address, port, bothFamilies: host == "*" && address == "::")
        self.descriptor = descriptor
        self.port = Self.boundPort(descriptor)
        isLocal = false
        path = nil
        return
      } catch {
        lastFailure = error
      }
    }
    throw lastFailure
  }

  private static func open(_ host: String, _ port: UInt16, bothFamilies: Bool) throws(SystemFailure) -> Int32 {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = streamType
    var list: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(host, String(port), &hints, &list)
    guard result == 0, let found = list else {
      throw SystemFailure("\(host) is unknown (\(String(cString: gai_strerror(result))))", code: 0)
    }
    defer { freeaddrinfo(list) }
    let address = found.pointee
    let descriptor = socket(address.ai_family, streamType, 0)
    guard descriptor >= 0 else { throw SystemFailure("socket", code: errno) }
    var isBound = false
    defer { if !isBound { sysClose(descriptor) } }
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if address.ai_family == AF_INET6 { setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, bothFamilies ? 0 : 1) }
    guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 else { throw SystemFailure("bind", code: errno) }
    try prepare(descriptor)
    isBound = true
    return descriptor
  }

  private init(path: String, mode: UInt16) throws(SystemFailure) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isTooLong = withUnsafeMutableBytes(of: &address.sun_path) { target in
      guard path.utf8.count < target.count else { return true }
      target.copyBytes(from: path.utf8)
      return false
    }
    guard !isTooLong else { throw SystemFailure("the path is too long for a socket", code: 0) }
    let descriptor = socket(AF_UNIX, streamType, 0)
    guard descriptor >= 0 else { throw SystemFailure("socket", code: errno) }
    var isBound = false
    defer { if !isBound { sysClose(descriptor) } }
    let bindOnce = {
      withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
          bind(descriptor, target, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
        }
      }
    }
    var failure = bindOnce()
    if failure == EADDRINUSE, Self.isAbandoned(address) {
      unlink(path)
      failure = bindOnce()
    }
    guard failure == 0 else { throw SystemFailure("bind", code: failure) }
    isBound = true
    do throws(SystemFailure) {
      // Before `listen` nobody can connect, whatever the umask has made of the file.
      guard chmod(path, mode_t(mode)) == 0 else { throw SystemFailure("chmod", code: errno) }
      try Self.prepare(descriptor)
    } catch {
      sysClose(descriptor)
      unlink(path)
      throw error
    }
    self.descriptor = descriptor
    self.path = path
    port = 0
    isLocal = true
  }

  /// True if a socket file exists that nobody listens on.
  private static func isAbandoned(_ address: sockaddr_un) -> Bool {
    let probe = socket(AF_UNIX, streamType, 0)
    guard probe >= 0 else { return false }
    defer { sysClose(probe) }
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
        connect(probe, target, socklen_t(MemoryLayout<sockaddr_un>.size)) != 0 && errno == ECONNREFUSED
      }
    }
  }

  private init(inherited descriptor: Int32) throws(SystemFailure) {
    var address = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &count) }
    }
    guard result == 0 else { throw SystemFailure("it is no socket", code: errno) }
    try Self.prepare(descriptor)
    self.descriptor = descriptor
    isLocal = Int32(address.ss_family) == AF_UNIX
    port = isLocal ? 0 : Self.boundPort(descriptor)
    path = nil
  }

  private static func prepare(_ descriptor: Int32) throws(SystemFailure) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK) >= 0 else {
      throw SystemFailure("fcntl", code: errno)
    }
    guard listen(descriptor, backlog) == 0 else { throw SystemFailure("listen", code: errno) }
  }

  private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func boundPort(_ descriptor: Int32) -> UInt16 {
    var address = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &count) }
    }
    guard result == 0 else { return 0 }
    // The port lies at the same place in both families' addresses.
    return withUnsafeBytes(of: address) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }
}

/// A system call that failed.
private struct SystemFailure: Error {
  var reason: String

  init(_ what: String, code: Int32) {
    reason = code == 0 ? what : "\(what): \(String(cString: strerror(code)))"
  }
}

#if canImport(Glibc)
private let streamType = Int32(SOCK_STREAM.rawValue)
#else
private let streamType = SOCK_STREAM
#endif

/// `close` under a name that no method hides.
private func sysClose(_ descriptor: Int32) { _ = close(descriptor) }
