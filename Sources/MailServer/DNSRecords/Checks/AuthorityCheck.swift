import Bytes
import DNS

/// Is it said who may issue certificates for the server?  RFC 8659.
struct AuthorityCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let host = world.identity.hostname
    // RFC 8659 §3: the nearest name upward that has any counts.
    var labels = host.text.split(separator: ".")
    while !labels.isEmpty, let name = DomainName(labels.joined(separator: ".")) {
      let records = try await world.answer(AuthorityAuthorizationRecord.self, at: name, for: "CAA").records
      if !records.isEmpty { return [finding(about: records, at: name)] }
      labels.removeFirst()
    }
    return [
      DNSFinding(
        .advice, "CAA", host.text, "is missing: every authority may issue certificates for the server",
        remedy: "publish the name of yours: \(host). 3600 IN CAA 0 issue \"AUTHORITY\"")
    ]
  }

  private func finding(about records: [AuthorityAuthorizationRecord], at name: DomainName) -> DNSFinding {
    let issuers = records.filter { $0.tag == "issue" }.map(\.value)
    let names = issuers.map { value in value.prefix { $0 != UInt8(ascii: ";") }.filter { !$0.isIn(.wsp) } }
    guard !issuers.isEmpty else {
      return DNSFinding(.advice, "CAA", name.text, "does not say who may issue certificates")
    }
    let allowed = names.filter { !$0.isEmpty }
    guard !allowed.isEmpty else {
      return DNSFinding(
        .warning, "CAA", name.text, "lets no authority issue certificates", remedy: "name the one that yours is from")
    }
    let list = allowed.prefix(5).map { shown($0) }.joined(separator: ", ")
    return DNSFinding(.right, "CAA", name.text, "lets \(list) issue certificates")
  }
}
