package import Networking

/// An A record.  RFC 1035 §3.4.1.
package struct IPv4Record: RecordData {
  package static let type = RecordType.a
  package let address: IPAddress

  package init?(rdata: [UInt8]) {
    guard rdata.count == 4, let address = IPAddress(bytes: rdata) else { return nil }
    self.address = address
  }
}

/// An AAAA record.  RFC 3596 §2.2.
package struct IPv6Record: RecordData {
  package static let type = RecordType.aaaa
  package let address: IPAddress

  package init?(rdata: [UInt8]) {
    guard rdata.count == 16, let address = IPAddress(bytes: rdata) else { return nil }
    self.address = address
  }
}
