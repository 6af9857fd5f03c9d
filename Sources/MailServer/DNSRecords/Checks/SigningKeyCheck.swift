import DKIM
import DNS

/// Are the keys published that the domain's mail is signed with?  RFC 6376 §3.6.
struct SigningKeyCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let domain = world.identity.domain
    guard !world.identity.keyRecords.isEmpty else {
      return [
        DNSFinding(
          .failure, "DKIM", domain.text, "there are no keys for the domain: its mail goes out unsigned",
          remedy: "martlet domain dkim \(domain)")
      ]
    }
    var findings: [DNSFinding] = []
    for key in world.identity.keyRecords {
      guard let name = DomainName(key.name) else { continue }
      let texts = try await world.answer(TextRecord.self, at: name, for: "DKIM").records.map(\.text)
      let record = ExpectedRecord(purpose: .signingKey, name: name, value: .text(key.text)).zoneFileLine()
      if key.isPublished(in: .records(texts)) {
        findings.append(DNSFinding(.right, "DKIM", name.text, "is the key that this server has"))
      } else if texts.isEmpty {
        findings.append(
          DNSFinding(
            .failure, "DKIM", name.text, "is missing: the key does not sign before it is there",
            remedy: "publish: \(record)"))
      } else {
        findings.append(
          DNSFinding(
            .failure, "DKIM", name.text, "is another key, or no whole one: ours does not sign",
            remedy: "publish instead: \(record)"))
      }
    }
    // Others need one signature that is good; a key may be waiting for its time.
    if findings.contains(where: { $0.severity == .right }) {
      for index in findings.indices where findings[index].severity == .failure { findings[index].severity = .warning }
    }
    return findings
  }
}
