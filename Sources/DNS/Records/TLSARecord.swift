import Bytes

/// A TLSA record: what a server's certificate is to match.  RFC 6698 §2.
package struct TLSARecord: RecordData {
  package static let type = RecordType.tlsa
  /// 2 is DANE-TA, 3 DANE-EE; numbers without a meaning are kept.  RFC 7218.
  package let usage: UInt8
  /// 0 is the whole certificate, 1 its public key.
  package let selector: UInt8
  /// 0 is the data itself, 1 its SHA-256, 2 its SHA-512.
  package let matchingType: UInt8
  package let data: [UInt8]

  package init?(rdata: [UInt8]) {
    guard rdata.count > 3 else { return nil }
    usage = rdata[0]
    selector = rdata[1]
    matchingType = rdata[2]
    data = Array(rdata[3...])
  }
}

extension TLSARecord: CustomStringConvertible {
  /// As in a zone file, and as a report of TLS quotes it.
  package var description: String {
    let digits = hexadecimal(data)
    return "\(usage) \(selector) \(matchingType) \(digits)"
  }
}
