import Bytes
import DNS

/// Does the domain say what becomes of forgeries?  RFC 7489 §6.
struct MessagePolicyCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let domain = world.identity.domain
    // RFC 7489 §6.6.3: without a record of its own the organisation's counts.
    for place in [domain, PublicSuffixes.organisationalDomain(of: domain)] {
      guard let name = place.prefixed(by: "_dmarc") else { continue }
      let records = try await world.texts(at: name, beginningWith: "v=DMARC1", for: "DMARC")
      if records.isEmpty { continue }
      return records.count == 1
        ? findings(about: records[0], at: name)
        : [
          DNSFinding(
            .warning, "DMARC", name.text, "is there \(records.count) times, which counts as none",
            remedy: "leave one of them")
        ]
    }
    return [
      DNSFinding(
        .warning, "DMARC", "_dmarc.\(domain)", "is missing: large providers want it",
        remedy: world.remedy(.messagePolicy))
    ]
  }

  private func findings(about record: [UInt8], at name: DomainName) -> [DNSFinding] {
    let tags = record.split(separator: UInt8(ascii: ";")).map { tag in
      String(decoding: tag.filter { !$0.isIn(.wsp) }.map(\.asciiLowercased), as: UTF8.self)
    }
    let policy = tags.first { $0.hasPrefix("p=") }?.dropFirst(2)
    guard let policy, ["none", "quarantine", "reject"].contains(policy) else {
      return [
        DNSFinding(
          .warning, "DMARC", name.text, "\(shown(record)) has no policy",
          remedy: "say p=none, p=quarantine or p=reject in it")
      ]
    }
    var findings = [
      policy == "none"
        ? DNSFinding(
          .advice, "DMARC", name.text, "only watches (p=none)",
          remedy: "p=quarantine, once reports show that your own mail passes")
        : DNSFinding(.right, "DMARC", name.text, "asks others to \(policy) forgeries")
    ]
    if !tags.contains(where: { $0.hasPrefix("rua=mailto:") }) {
      findings.append(
        DNSFinding(.advice, "DMARC", name.text, "asks for no reports", remedy: "add rua=mailto:ADDRESS"))
    }
    return findings
  }
}
