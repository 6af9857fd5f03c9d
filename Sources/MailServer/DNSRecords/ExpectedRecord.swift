import Bytes
import DKIM
package import DNS
package import Networking

/// A record that mail for a domain is better off with.
package struct ExpectedRecord: Hashable, Sendable {
  /// What a record is for, in the order of the printed zone.
  package enum Purpose: String, CaseIterable, Sendable {
    case mailExchanger = "MX"
    case address
    case senderPolicy = "SPF"
    case signingKey = "DKIM"
    case messagePolicy = "DMARC"
    case certificate = "TLSA"
    case transportPolicy = "MTA-STS"
    case transportReports = "TLSRPT"
    case service = "SRV"
    case authority = "CAA"
  }

  package enum Value: Hashable, Sendable {
    case mx(UInt16, DomainName)
    case address(IPAddress)
    case text(String)
    case tlsa([UInt8])
    case srv(UInt16, UInt16, UInt16, DomainName)
  }

  package let purpose: Purpose
  package let name: DomainName
  package let value: Value

  package var type: String {
    switch value {
    case .mx: "MX"
    case .address(let address): address.isIPv6 ? "AAAA" : "A"
    case .text: "TXT"
    case .tlsa: "TLSA"
    case .srv: "SRV"
    }
  }

  /// As it stands behind the type in a zone file.  RFC 1035 §5.1.
  package var data: String {
    switch value {
    case .mx(let preference, let host): "\(preference) \(absolute(host))"
    case .address(let address): "\(address)"
    case .text(let text): characterStrings(text).joined(separator: " ")
    case .tlsa(let digest): "3 1 1 \(hexadecimal(digest))"
    case .srv(let priority, let weight, let port, let target): "\(priority) \(weight) \(port) \(absolute(target))"
    }
  }

  /// - Parameter timeToLive: in seconds.
  package func zoneFileLine(timeToLive: Int = 3_600) -> String {
    "\(absolute(name)) \(timeToLive) IN \(type) \(data)"
  }
}

extension MailIdentity {
  /// All records, those of one purpose beside each other.
  package var records: [ExpectedRecord] { ExpectedRecord.Purpose.allCases.flatMap(records(for:)) }

  func records(for purpose: ExpectedRecord.Purpose) -> [ExpectedRecord] {
    switch purpose {
    case .mailExchanger: [ExpectedRecord(purpose: purpose, name: domain, value: .mx(10, hostname))]
    case .address: addresses.map { ExpectedRecord(purpose: purpose, name: hostname, value: .address($0)) }
    case .senderPolicy: [ExpectedRecord(purpose: purpose, name: domain, value: .text("v=spf1 mx -all"))]
    case .signingKey:
      (keyRecords + retiredKeyRecords).compactMap { record in
        DomainName(record.name).map { ExpectedRecord(purpose: purpose, name: $0, value: .text(record.text)) }
      }
    case .messagePolicy: text(purpose, at: "_dmarc", "v=DMARC1; p=quarantine; rua=mailto:\(reportAddress)")
    case .certificate:
      MailService.allCases.compactMap { service in
        guard let publicKeyDigest, let name = hostname.prefixed(by: service.certificateLabels) else { return nil }
        return ExpectedRecord(purpose: purpose, name: name, value: .tlsa(publicKeyDigest))
      }
    case .transportPolicy: text(purpose, at: "_mta-sts", "v=STSv1; id=\(transportPolicyID)")
    case .transportReports: text(purpose, at: "_smtp._tls", "v=TLSRPTv1; rua=mailto:\(reportAddress)")
    case .service: services(purpose)
    case .authority: []
    }
  }

  private func text(_ purpose: ExpectedRecord.Purpose, at labels: String, _ text: String) -> [ExpectedRecord] {
    domain.prefixed(by: labels).map { [ExpectedRecord(purpose: purpose, name: $0, value: .text(text))] } ?? []
  }

  private func services(_ purpose: ExpectedRecord.Purpose) -> [ExpectedRecord] {
    var records: [ExpectedRecord] = MailService.allCases.compactMap { service in
      guard let labels = service.serviceLabels, let name = domain.prefixed(by: labels) else { return nil }
      return ExpectedRecord(purpose: purpose, name: name, value: .srv(0, 1, service.port, hostname))
    }
    // RFC 2782: a target of “.” says that the service is decidedly not there. Without TLS it is not to be used.
    if let name = domain.prefixed(by: "_imap._tcp"), let root = DomainName(".") {
      records.append(ExpectedRecord(purpose: purpose, name: name, value: .srv(0, 0, 0, root)))
    }
    return records
  }
}

/// A record as scripts read it.
package struct RecordSummary: Codable, Hashable, Sendable {
  /// `MX`, `address`, `SPF` and so on.
  package var purpose: String
  /// Without the dot at its end.
  package var name: String
  package var type: String
  /// As in a zone file.
  package var data: String
}

extension MailIdentity {
  package var recordSummaries: [RecordSummary] {
    records.map { record in
      RecordSummary(purpose: record.purpose.rawValue, name: record.name.text, type: record.type, data: record.data)
    }
  }
}

private func absolute(_ name: DomainName) -> String { name.isRoot ? "." : "\(name)." }

/// Quoted strings of at most 255 octets.  RFC 1035 §3.3, §5.1.
private func characterStrings(_ text: String) -> [String] {
  let bytes = Array(text.utf8)
  return stride(from: 0, to: max(bytes.count, 1), by: 255).map { start in
    var quoted = "\""
    for byte in bytes[start..<min(start + 255, bytes.count)] {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): quoted += "\\" + String(UnicodeScalar(byte))
      case 0x20...0x7E: quoted += String(UnicodeScalar(byte))
      default:
        let digits = String(byte)
        quoted += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}
