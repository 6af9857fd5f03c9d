import Bytes

/// A TXT record.  RFC 1035 §3.3.14.
package struct TextRecord: RecordData {
  package static let type = RecordType.txt
  /// Each of at most 255 octets; never empty.
  package let strings: [[UInt8]]

  package init?(rdata: [UInt8]) {
    var cursor = ByteCursor(rdata)
    var strings: [[UInt8]] = []
    while let length = cursor.next() {
      guard let string = cursor.take(Int(length)) else { return nil }
      strings.append(Array(string))
    }
    guard !strings.isEmpty else { return nil }
    self.strings = strings
  }

  /// The strings one after the other, as SPF, DKIM, DMARC and MTA-STS read them.
  package var text: [UInt8] { strings.flatMap { $0 } }
}

/// A CAA record.  RFC 8659 §4.
package struct AuthorityAuthorizationRecord: RecordData {
  package static let type = RecordType.caa
  package let isCritical: Bool
  /// `issue`, `issuewild`, `iodef`; lower-case.
  package let tag: String
  package let value: [UInt8]

  package init?(rdata: [UInt8]) {
    var cursor = ByteCursor(rdata)
    guard let flags = cursor.next(), let length = cursor.next(), length > 0, let tag = cursor.take(Int(length)),
      tag.allSatisfy({ $0.isIn([.alpha, .digit]) })
    else { return nil }
    isCritical = flags & 0x80 != 0
    self.tag = String(decoding: tag.map(\.asciiLowercased), as: UTF8.self)
    value = Array(cursor.take(while: { _ in true }))
  }
}
