import Bytes

/// An MX record.  RFC 1035 §3.3.9.
package struct MailExchangerRecord: RecordData {
  package static let type = RecordType.mx
  /// The lowest is tried first.
  package let preference: UInt16
  package let host: DomainName

  package init?(rdata: [UInt8]) {
    var cursor = ByteCursor(rdata)
    guard let preference = cursor.number(), let host = DomainName(reading: &cursor), cursor.isAtEnd else { return nil }
    self.preference = preference
    self.host = host
  }

  /// The domain takes no mail, if it is the only one.  RFC 7505 §3.
  package var isNull: Bool { host.isRoot }
}

/// An SRV record.  RFC 2782.
package struct ServiceRecord: RecordData {
  package static let type = RecordType.srv
  package let priority: UInt16
  package let weight: UInt16
  package let port: UInt16
  /// The root: the service is not there.
  package let target: DomainName

  package init?(rdata: [UInt8]) {
    var cursor = ByteCursor(rdata)
    guard let priority = cursor.number(), let weight = cursor.number(), let port = cursor.number(),
      let target = DomainName(reading: &cursor), cursor.isAtEnd
    else { return nil }
    self.priority = priority
    self.weight = weight
    self.port = port
    self.target = target
  }
}

extension ByteCursor {
  /// Two octets, the higher one first.
  fileprivate mutating func number() -> UInt16? {
    guard let octets = take(2) else { return nil }
    return UInt16(octets[octets.startIndex]) << 8 | UInt16(octets[octets.startIndex + 1])
  }
}
