#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are turned into IPv4.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 bytes in network order.
  package let bytes: [UInt8]

  /// - Parameter bytes: 4 or 16 of them in network order.
  package init?(bytes: [UInt8]) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    // RFC 4291 §2.5.5.2: ::ffff:a.b.c.d is an IPv4 node seen through an IPv6 socket.
    let isMapped = bytes.count == 16 && bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    self.bytes = isMapped ? Array(bytes[12...]) : bytes
  }

  /// Reads `192.0.2.1` or `2001:db8::1`; nothing shorter, no zone, no brackets.
  package init?(_ text: String) {
    let isIPv6 = text.utf8.contains(UInt8(ascii: ":"))
    guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
    guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
    self.init(bytes: bytes)
  }

  package var isIPv6: Bool { bytes.count == 16 }

  package var isLoopback: Bool {
    isIPv6 ? bytes[0..<15].allSatisfy { $0 == 0 } && bytes[15] == 1 : bytes[0] == 127
  }

  package var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, buffer.baseAddress!, 64).map { String(cString: $0) } ?? ""
    }
  }

  /// As SMTP writes it: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.  RFC 5321 §4.1.3.
  package var addressLiteral: String { isIPv6 ? "[IPv6:\(self)]" : "[\(self)]" }

  /// What limits are counted by: the address itself, or the /64 of an IPv6 address, which is what one customer gets.
  package var limitKey: IPAddress {
    guard isIPv6 else { return self }
    return IPAddress(bytes: Array(bytes[0..<8]) + [UInt8](repeating: 0, count: 8)) ?? self
  }
}

/// A range of addresses in CIDR notation, such as `192.0.2.0/24`; an address alone is a range of one.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
  private let address: IPAddress
  private let prefixLength: Int

  /// Bits after the prefix may be set and do not matter.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    let bits = address.bytes.count * 8
    self.address = address
    if parts.count == 1 {
      prefixLength = bits
    } else {
      guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ $0 &- 0x30 < 10 }), let length = Int(parts[1]),
        length <= bits
      else { return nil }
      prefixLength = length
    }
  }

  package func contains(_ other: IPAddress) -> Bool {
    guard other.bytes.count == address.bytes.count else { return false }
    let whole = prefixLength / 8
    guard address.bytes[..<whole] == other.bytes[..<whole] else { return false }
    let rest = prefixLength % 8
    return rest == 0 || (address.bytes[whole] ^ other.bytes[whole]) >> (8 - UInt8(rest)) == 0
  }

  package var description: String { "\(address)/\(prefixLength)" }
}
