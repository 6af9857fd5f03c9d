import DNS

/// Does mail for the domain come here?  RFC 5321 §5.1.
struct MailExchangerCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let (domain, host) = (world.identity.domain, world.identity.hostname)
    let records = try await world.answer(MailExchangerRecord.self, at: domain, for: "MX").records
    func finding(_ severity: DNSFinding.Severity, _ text: String, remedy: String? = nil) -> DNSFinding {
      DNSFinding(severity, "MX", domain.text, text, remedy: remedy)
    }
    if records.isEmpty {
      return [finding(.failure, "is missing: mail does not find this server", remedy: world.remedy(.mailExchanger))]
    }
    let instead = world.remedy(.mailExchanger, instead: true)
    if records.contains(where: \.isNull), records.count == 1 {
      return [finding(.failure, "says that the domain takes no mail (RFC 7505)", remedy: instead)]
    }
    guard let ours = records.filter({ $0.host == host }).map(\.preference).min() else {
      let others = records.prefix(5).map(\.host.text).joined(separator: ", ")
      return [finding(.failure, "leads to \(others) and not to \(host)", remedy: instead)]
    }
    var findings = [finding(.right, "leads to \(host)")]
    let before = records.filter { $0.host != host && $0.preference <= ours }.prefix(5).map(\.host.text)
    if !before.isEmpty {
      findings.append(
        finding(
          .advice, "leads to \(before.joined(separator: ", ")) too, at least as much as to \(host)",
          remedy: "take it out unless it hands the mail on to \(host)"))
    }
    return findings
  }
}
