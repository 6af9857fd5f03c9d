import Bytes
package import Cryptography
package import MessageFormat

/// The key record that a domain has to publish.  RFC 6376 §3.6.1, §3.6.2.2, RFC 8463 §4.
package struct KeyRecordText: Codable, Hashable, Sendable {
  /// In A-labels, without a final dot.
  package let name: String
  /// `v=DKIM1; k=…; p=…`
  package let text: String

  /// Nil where domain and selector make no name of DNS.
  package init?(_ key: PublicKey, selector: KeySelector, domain: Domain) throws(KeyError) {
    guard let name = selector.recordName(in: domain) else { return nil }
    self.name = name
    let published = String(decoding: Base64.encode(try key.published), as: UTF8.self)
    text = "v=DKIM1; k=\(key.algorithm == .rsa ? "rsa" : "ed25519"); p=\(published)"
  }

  /// The text in pieces of at most 255 octets, which is what a string of a TXT record holds.  RFC 1035 §3.3.
  package var strings: [String] {
    let bytes = Array(text.utf8)
    return stride(from: 0, to: bytes.count, by: 255).map {
      String(decoding: bytes[$0..<min($0 + 255, bytes.count)], as: UTF8.self)
    }
  }

  /// One line of a zone file.  RFC 1035 §5.1.
  /// - Parameter ttl: in seconds.
  package func zoneFileLine(ttl: Int = 3_600) -> String {
    "\(name). \(ttl) IN TXT " + strings.map { "\"\($0)\"" }.joined(separator: " ")
  }

  /// True if one of the records at the name is this key's, whatever else it says and however it is written.
  package func isPublished(in answer: KeyRecordAnswer) -> Bool {
    guard case .records(let records) = answer, let mine = try? KeyRecord(parsing: Array(text.utf8)) else {
      return false
    }
    return records.contains { text in
      guard let record = try? KeyRecord(parsing: text) else { return false }
      return record.publicKey == mine.publicKey && record.algorithm == mine.algorithm && record.isForMail
        && record.allowsSHA256
    }
  }
}
