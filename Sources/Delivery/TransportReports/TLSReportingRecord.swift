import Bytes
package import DNS
package import HTTPSClient
package import MessageFormat

/// What `_smtp._tls.` says of a domain: who wants to hear how TLS with its servers went.  RFC 8460 §3.
package struct TLSReportingRecord: Hashable, Sendable {
  package enum Recipient: Hashable, Sendable {
    case mail(EmailAddress)
    case web(HTTPSURL)
  }

  /// No domain needs more.
  static let mostRecipients = 10

  /// In the order of the record. Empty where it names nobody that can be told.
  package let recipients: [Recipient]

  /// The one record among those at the name; nil if there is none, more than one, or the one is malformed.
  package init?(_ records: [TextRecord]) {
    let candidates = records.map(\.text).filter { $0.starts(with: "v=TLSRPTv1;".utf8) }
    guard candidates.count == 1, let record = TLSReportingRecord(parsing: candidates[0]) else { return nil }
    self = record
  }

  /// `v=TLSRPTv1; rua=mailto:reports@example.com,https://reporting.example.com/v1/tlsrpt`
  package init?(parsing text: [UInt8]) {
    var fields = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { trimmed($0) }
    guard text.allSatisfy({ 0x20...0x7E ~= $0 || $0 == 0x09 }), fields.removeFirst().elementsEqual("v=TLSRPTv1".utf8)
    else { return nil }
    if fields.last?.isEmpty == true { fields.removeLast() }
    var addresses: ArraySlice<UInt8>?
    for field in fields {
      guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      let name = field[..<equals]
      // RFC 8460 §3 `tlsrpt-ext-name`: fields that are yet to be invented are passed over.
      guard 1...32 ~= name.count,
        name.allSatisfy({ $0.isIn([.alpha, .digit]) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E })
      else { return nil }
      if name.elementsEqual("rua".utf8), addresses == nil { addresses = field[(equals + 1)...] }
    }
    guard let addresses else { return nil }
    var recipients: [Recipient] = []
    for uri in addresses.split(separator: UInt8(ascii: ",")) {
      guard let recipient = Recipient(String(decoding: trimmed(uri), as: UTF8.self)), !recipients.contains(recipient),
        recipients.count < Self.mostRecipients
      else { continue }
      recipients.append(recipient)
    }
    self.recipients = recipients
  }
}

extension TLSReportingRecord.Recipient: CustomStringConvertible {
  /// Nil for other schemes than `mailto:` and `https:`, and for what does not lead to an address or server.
  init?(_ uri: String) {
    let scheme = "mailto:"
    if uri.utf8.prefix(scheme.utf8.count).map(\.asciiLowercased).elementsEqual(scheme.utf8) {
      // RFC 6068 §2: what follows a question mark is for a person's own mail program.
      let encoded = uri.utf8.dropFirst(scheme.utf8.count).prefix { $0 != UInt8(ascii: "?") }
      guard let octets = percentDecoded(encoded), let text = String(validating: octets, as: UTF8.self),
        let address = EmailAddress(text)
      else { return nil }
      self = .mail(address)
    } else if let url = HTTPSURL(uri) {
      self = .web(url)
    } else {
      return nil
    }
  }

  /// One line, the same for what comes to the same.
  package var description: String {
    switch self {
    case .mail(let address): "mailto:\(address)"
    case .web(let url): "\(url)"
    }
  }
}

/// RFC 3986 §2.1.
private func percentDecoded(_ text: some Sequence<UInt8>) -> [UInt8]? {
  var octets: [UInt8] = []
  var iterator = text.makeIterator()
  while let byte = iterator.next() {
    guard byte == UInt8(ascii: "%") else {
      octets.append(byte)
      continue
    }
    guard let high = iterator.next(), let low = iterator.next(), high.isIn([.alpha, .digit]),
      low.isIn([.alpha, .digit]), let octet = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
    else { return nil }
    octets.append(octet)
  }
  return octets
}
