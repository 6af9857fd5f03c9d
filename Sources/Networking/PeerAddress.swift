/// The other end of a connection.
package enum PeerAddress: Hashable, Sendable, CustomStringConvertible {
  case internet(IPAddress, port: UInt16)
  /// A local (unix) socket.
  case local

  package var ip: IPAddress? {
    if case .internet(let ip, _) = self { ip } else { nil }
  }
  package var isLoopback: Bool { ip.map { $0.isLoopback } ?? true }

  /// `192.0.2.1:25`, `[2001:db8::1]:25` or `local`.
  package var description: String {
    switch self {
    case .internet(let ip, let port): ip.isIPv6 ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    case .local: "local"
    }
  }
}
