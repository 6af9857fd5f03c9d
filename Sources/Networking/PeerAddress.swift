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
  package var description: String { fatalError("skeleton") }
}

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are turned into IPv4.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 bytes in network order.
  package let bytes: [UInt8]

  package init?(bytes: [UInt8]) { fatalError("skeleton") }
  package init?(_ text: String) { fatalError("skeleton") }

  package var isIPv6: Bool { bytes.count == 16 }
  package var isLoopback: Bool { fatalError("skeleton") }
  package var description: String { fatalError("skeleton") }
  /// As SMTP writes it: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.  RFC 5321 §4.1.3.
  package var addressLiteral: String { fatalError("skeleton") }
  /// What limits are counted by: the address itself, or the /64 of an IPv6 address.
  package var limitKey: IPAddress { fatalError("skeleton") }
}

/// A range of addresses in CIDR notation.
package struct IPNetwork: Hashable, Sendable {
  package init?(_ text: String) { fatalError("skeleton") }
  package func contains(_ address: IPAddress) -> Bool { fatalError("skeleton") }
}
