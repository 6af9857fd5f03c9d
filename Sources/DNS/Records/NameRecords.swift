import Bytes

/// A PTR record.  RFC 1035 §3.3.12.
package struct PointerRecord: RecordData {
  package static let type = RecordType.ptr
  package let name: DomainName

  package init?(rdata: [UInt8]) {
    guard let name = onlyName(in: rdata) else { return nil }
    self.name = name
  }
}

/// An NS record.  RFC 1035 §3.3.11.
package struct NameServerRecord: RecordData {
  package static let type = RecordType.ns
  package let name: DomainName

  package init?(rdata: [UInt8]) {
    guard let name = onlyName(in: rdata) else { return nil }
    self.name = name
  }
}

/// A CNAME record.  RFC 1035 §3.3.1.
package struct AliasRecord: RecordData {
  package static let type = RecordType.cname
  package let name: DomainName

  package init?(rdata: [UInt8]) {
    guard let name = onlyName(in: rdata) else { return nil }
    self.name = name
  }
}

private func onlyName(in rdata: [UInt8]) -> DomainName? {
  var cursor = ByteCursor(rdata)
  guard let name = DomainName(reading: &cursor), cursor.isAtEnd else { return nil }
  return name
}
