package import Networking

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension IPAddress {
  /// False for addresses that mean something in one network only.  RFC 6890.
  var isPublic: Bool {
    if isIPv6 { return bytes[0] & 0xE0 == 0x20 }
    return !Self.special.contains { $0.contains(self) }
  }

  private static let special = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3",
  ].compactMap { IPNetwork($0) }
}

/// The public addresses of this machine's interfaces, IPv4 first. Behind a translator there are none.
package func publicAddresses() -> [IPAddress] {
  var first: UnsafeMutablePointer<ifaddrs>?
  guard getifaddrs(&first) == 0 else { return [] }
  defer { freeifaddrs(first) }
  var addresses: [IPAddress] = []
  var next = first
  while let entry = next {
    next = entry.pointee.ifa_next
    guard let address = entry.pointee.ifa_addr.flatMap({ ipAddress(of: $0) }), address.isPublic,
      !addresses.contains(address)
    else { continue }
    addresses.append(address)
  }
  return addresses.filter { !$0.isIPv6 } + addresses.filter(\.isIPv6)
}

private func ipAddress(of address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
  switch Int32(address.pointee.sa_family) {
  case AF_INET:
    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
      withUnsafeBytes(of: address.pointee.sin_addr) { IPAddress(bytes: Array($0)) }
    }
  case AF_INET6:
    address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
      withUnsafeBytes(of: address.pointee.sin6_addr) { IPAddress(bytes: Array($0)) }
    }
  default: nil
  }
}
