import DNS

/// Do clients find the services by the domain's name?  RFC 6186, RFC 8314 §5.1.
struct ServiceRecordCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    var findings: [DNSFinding] = []
    var missing: [String] = []
    for expected in world.identity.records(for: .service) {
      guard case .srv(_, _, let port, let target) = expected.value else { continue }
      let name = expected.name
      let records = try await world.answer(ServiceRecord.self, at: name, for: "SRV").records
      if records.isEmpty {
        missing.append(name.text)
      } else if records.contains(where: { $0.target == target && (target.isRoot || $0.port == port) }) {
        findings.append(
          DNSFinding(.right, "SRV", name.text, target.isRoot ? "is decidedly not there" : "leads to \(target):\(port)"))
      } else if let record = records.first, record.target.isRoot {
        findings.append(
          DNSFinding(
            .advice, "SRV", name.text, "says that the service is not there",
            remedy: "publish instead, if it is: \(expected.zoneFileLine())"))
      } else if target.isRoot, records.contains(where: { $0.target == world.identity.hostname }) {
        findings.append(
          DNSFinding(
            .advice, "SRV", name.text, "leads clients to a port without TLS from the start",
            remedy: "publish instead: \(expected.zoneFileLine())"))
      } else {
        let record = records[0]
        findings.append(
          DNSFinding(
            .warning, "SRV", name.text, "leads to \(record.target):\(record.port)",
            remedy: "publish instead: \(expected.zoneFileLine())"))
      }
    }
    if !missing.isEmpty {
      findings.append(
        DNSFinding(
          .advice, "SRV", world.identity.domain.text,
          "is missing for \(missing.joined(separator: ", ")): clients must be told the server's name",
          remedy: "publish the SRV records of “martlet dns records”"))
    }
    return findings
  }
}
