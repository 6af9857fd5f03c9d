package import Networking

extension DomainName {
  /// Where an address has its PTR record: `7.2.0.192.in-addr.arpa`.  RFC 1035 §3.5, RFC 3596 §2.5.
  package init(reverseOf address: IPAddress) {
    let labels =
      address.isIPv6
      ? address.bytes.reversed().flatMap { [String($0 & 0x0F, radix: 16), String($0 >> 4, radix: 16)] }
      : address.bytes.reversed().map { String($0) }
    text = labels.joined(separator: ".") + (address.isIPv6 ? ".ip6.arpa" : ".in-addr.arpa")
  }
}
