import DNS
import Delivery

/// Is somebody told when others had trouble with TLS?  RFC 8460 §3.
struct TransportReportCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    guard let name = world.identity.domain.prefixed(by: "_smtp._tls") else { return [] }
    let records = try await world.texts(at: name, beginningWith: "v=TLSRPTv1", for: "TLSRPT")
    guard let record = records.first else {
      return [
        DNSFinding(
          .advice, "TLSRPT", name.text, "is missing: nobody is told when TLS fails",
          remedy: world.remedy(.transportReports))
      ]
    }
    guard records.count == 1, TLSReportingRecord(parsing: record)?.recipients.isEmpty == false else {
      return [
        DNSFinding(
          .warning, "TLSRPT", name.text, "names nobody to tell, or is there more than once",
          remedy: world.remedy(.transportReports, instead: true))
      ]
    }
    return [DNSFinding(.right, "TLSRPT", name.text, "has failures of TLS reported")]
  }
}
