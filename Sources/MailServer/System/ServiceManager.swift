#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What systemd hands over at start and wants to hear.  sd_listen_fds(3), sd_notify(3).
package struct ServiceManager: Sendable {
  /// Listening sockets by the name that the socket unit gives them (`FileDescriptorName=imaps`).
  package let sockets: [String: Int32]
  private let notifySocket: String?

  /// - Parameter environment: taken from the process; the variables are for this process alone.
  package init(environment: [String: String]) {
    notifySocket = environment["NOTIFY_SOCKET"]
    var sockets: [String: Int32] = [:]
    if environment["LISTEN_PID"].flatMap({ Int32($0) }) == getpid(),
      let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), (1...64).contains(count)
    {
      let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
      // Descriptors begin behind standard error: SD_LISTEN_FDS_START.
      for (index, descriptor) in (3..<3 + count).enumerated() {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        sockets[index < names.count ? String(names[index]) : "unknown"] = descriptor
      }
    }
    self.sockets = sockets
  }

  /// Sends a state such as `READY=1`; there may be nobody to hear it.
  package func notify(_ state: String) {
    guard let notifySocket, let socket = try? LocalSocket(connectingTo: notifySocket, .datagram) else { return }
    _ = socket.send(Array(state.utf8))
  }
}
