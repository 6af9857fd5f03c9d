import DNS
import Delivery

/// Is there an MTA-STS policy, and does it let mail come here?  RFC 8461.
struct TransportPolicyCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    guard let name = world.identity.domain.prefixed(by: "_mta-sts") else { return [] }
    func finding(_ severity: DNSFinding.Severity, _ text: String, remedy: String? = nil) -> [DNSFinding] {
      [DNSFinding(severity, "MTA-STS", name.text, text, remedy: remedy)]
    }
    let records = try await world.answer(TextRecord.self, at: name, for: "MTA-STS").records
    if records.isEmpty {
      return finding(
        .advice, "is missing: others may be led to send without TLS",
        remedy: world.remedy(.transportPolicy).map { "serve the policy of “martlet dns records”, then \($0)" })
    }
    guard MTASTSRecord(records) != nil else {
      return finding(
        .warning, "is malformed, or there more than once: others see no policy",
        remedy: world.remedy(.transportPolicy, instead: true))
    }
    let policy: MTASTSPolicy
    do {
      policy = try MTASTSPolicy(parsing: try await world.policies.policyText(of: world.identity.domain))
    } catch let error as MTASTSPolicyError {
      return finding(
        .warning, "is there, and its policy is not one: \(error)", remedy: "serve the one of “martlet dns records”")
    } catch {
      return finding(
        .warning, "is there, and its policy is not: \(shown(Array("\(error)".utf8)))",
        remedy: "serve the one of “martlet dns records”, or take the record out")
    }
    let host = world.identity.hostname
    let addition = "add “mx: \(host)” to the policy, and change the id"
    switch policy.mode {
    case .none: return finding(.right, "says that there is no policy")
    case .enforce where !policy.allows(host):
      return finding(.failure, "forbids to send mail to \(host)", remedy: addition)
    case .testing where !policy.allows(host):
      return finding(.warning, "does not name \(host)", remedy: addition)
    case .enforce: return finding(.right, "asks for TLS with \(host)")
    case .testing:
      return finding(
        .right, "tries TLS with \(host) and tells of failures", remedy: "“mode: enforce” once reports show none")
    }
  }
}
