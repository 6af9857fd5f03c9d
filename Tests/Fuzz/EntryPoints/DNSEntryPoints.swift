@testable import DNS
@testable import Delivery

extension EntryPoint {
  /// What other people's name servers put into records.
  static let recordData = EntryPoint(name: "recordData") { bytes in
    if let record = MailExchangerRecord(rdata: bytes) { check(record.host) }
    if let record = ServiceRecord(rdata: bytes) { check(record.target) }
    if let record = PointerRecord(rdata: bytes) { check(record.name) }
    if let record = TextRecord(rdata: bytes) {
      precondition(record.text.count + record.strings.count == bytes.count)
      _ = MTASTSRecord([record])
      if let reporting = TLSReportingRecord([record]) { precondition(reporting.recipients.count <= 10) }
    }
    if let record = TLSARecord(rdata: bytes) { precondition(record.data.count == bytes.count - 3) }
    _ = AuthorityAuthorizationRecord(rdata: bytes)
  }

  private static func check(_ name: DomainName) {
    precondition(DomainName(name.text) == name, "a name is not read as it was written")
  }

  /// Who wants reports of TLS: addresses and servers that a stranger names.
  static let tlsReporting = EntryPoint(name: "tlsReporting") { bytes in
    guard let record = TLSReportingRecord(parsing: bytes) else { return }
    precondition(record.recipients.count <= 10 && Set(record.recipients).count == record.recipients.count)
    for recipient in record.recipients {
      precondition(recipient.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a recipient ends a line")
    }
  }

  /// Records and policies of MTA-STS.
  static let mtaSTS = EntryPoint(name: "mtaSTS") { bytes in
    if let record = MTASTSRecord(parsing: bytes) { precondition(1...32 ~= record.id.utf8.count) }
    guard let policy = try? MTASTSPolicy(parsing: bytes) else { return }
    precondition(policy.mode == .none || !policy.patterns.isEmpty)
    for pattern in policy.patterns {
      guard let name = DomainName(pattern.replacing("*", with: "a")) else { preconditionFailure("no name: \(pattern)") }
      precondition(policy.allows(name))
    }
  }
}
