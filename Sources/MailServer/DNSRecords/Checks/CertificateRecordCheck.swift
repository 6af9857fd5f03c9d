import Bytes
import DNS

/// Do the TLSA records name the key that the server has? Whoever sees wrong ones in a signed zone sends nothing.
/// RFC 7672 §2.2.
struct CertificateRecordCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    var findings: [DNSFinding] = []
    var missing: [MailService] = []
    for service in MailService.allCases {
      guard let name = world.identity.hostname.prefixed(by: service.certificateLabels) else { continue }
      let answer = try await world.answer(TLSARecord.self, at: name, for: "TLSA")
      if answer.records.isEmpty {
        missing.append(service)
      } else {
        findings.append(finding(about: answer, at: name, world.identity))
      }
    }
    // Only other mail servers are known to look; without a record for them the rest is not worth a word.
    let isExchangeMissing = missing.contains(.smtp)
    if isExchangeMissing || !missing.isEmpty && !findings.isEmpty {
      let ports = (isExchangeMissing && findings.isEmpty ? [.smtp] : missing).map { String($0.port) }
      findings.append(
        DNSFinding(
          .advice, "TLSA", world.identity.hostname.text,
          "is missing for port \(ports.joined(separator: ", ")): other servers cannot know the certificate by DNS",
          remedy: isExchangeMissing ? world.remedy(.certificate).map { "once the zone is signed, \($0)" } : nil))
    }
    return findings
  }

  private func finding(about answer: Answer<TLSARecord>, at name: DomainName, _ identity: MailIdentity) -> DNSFinding {
    guard let digest = identity.publicKeyDigest else {
      return DNSFinding(.warning, "TLSA", name.text, "is there, and the server has no certificate to compare it with")
    }
    let byKey = answer.records.filter { $0.usage == 3 && $0.selector == 1 && $0.matchingType == 1 }
    if byKey.contains(where: { $0.data == digest }) {
      return DNSFinding(.right, "TLSA", name.text, "is the key of the certificate in use")
    }
    guard byKey.count == answer.records.count else {
      return DNSFinding(
        .advice, "TLSA", name.text, "has records that are compared with the certificate by other servers only",
        remedy: "publish: \(name). 3600 IN TLSA 3 1 1 \(hexadecimal(digest))")
    }
    return DNSFinding(
      answer.isSecure ? .failure : .warning, "TLSA", name.text,
      "is the key of another certificate"
        + (answer.isSecure ? ": servers that look send nothing" : ", which shows once the zone is signed"),
      remedy: "publish instead: \(name). 3600 IN TLSA 3 1 1 \(hexadecimal(digest))")
  }
}
