import Bytes
import DNS
import Networking

/// May this server send for the domain, and nobody else?  RFC 7208.
struct SenderPolicyCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let domain = world.identity.domain
    func finding(_ severity: DNSFinding.Severity, _ text: String, remedy: String? = nil) -> DNSFinding {
      DNSFinding(severity, "SPF", domain.text, text, remedy: remedy)
    }
    let records = try await world.texts(at: domain, beginningWith: "v=spf1", for: "SPF")
    guard let record = records.first else {
      return [
        finding(
          .failure, "is missing: others cannot tell your mail from forgeries", remedy: world.remedy(.senderPolicy))
      ]
    }
    guard records.count == 1 else {
      // RFC 7208 §4.5.
      return [
        finding(.failure, "is there \(records.count) times, which counts as an error", remedy: "leave one of them")
      ]
    }
    let policy = SenderPolicy(record)
    var findings: [DNSFinding] = []
    switch policy.everybodyElse {
    case .pass:
      findings.append(
        finding(.warning, "\(shown(record)) lets everybody send for the domain", remedy: "end it with -all"))
    case .neutral:
      findings.append(
        finding(.warning, "\(shown(record)) says nothing about everybody else", remedy: "end it with -all"))
    case .refused, .elsewhere: break
    }
    if let verdict = try await objection(to: policy, world) {
      findings.append(finding(verdict.severity, verdict.text, remedy: verdict.remedy))
    }
    return findings.isEmpty ? [finding(.right, "\(shown(record)) lets this server send")] : findings
  }

  private typealias Verdict = (severity: DNSFinding.Severity, text: String, remedy: String)

  /// Nil where the policy lets the server send, or whoever it hands its mail to.
  private func objection(to policy: SenderPolicy, _ world: DNSWorld) async throws(Unanswered) -> Verdict? {
    let refersTo = policy.references.prefix(5).joined(separator: " ")
    if let smarthost = world.identity.smarthost {
      if !policy.references.isEmpty || policy.hosts.contains(smarthost.text) || !policy.networks.isEmpty { return nil }
      return (
        .warning, "names nobody else, and mail leaves through \(smarthost)",
        "put what the provider of \(smarthost) asks for, such as include:…, before -all"
      )
    }
    let (domain, host) = (world.identity.domain, world.identity.hostname)
    if policy.hosts.contains(host.text) || policy.namesDomain && host == domain { return nil }
    if policy.exchangers.contains("") || policy.exchangers.contains(domain.text) {
      let exchangers = try await world.answer(MailExchangerRecord.self, at: domain, for: "SPF").records
      if exchangers.contains(where: { $0.host == host }) { return nil }
    }
    let addresses = try await world.sendingAddresses(for: "SPF")
    let refused = addresses.filter { address in !policy.networks.contains { $0.contains(address) } }
    if refused.isEmpty, !addresses.isEmpty { return nil }
    if !policy.references.isEmpty {
      return (
        .advice, "does not name this server itself; whether \(refersTo) does is not looked into",
        "put mx before all of that, unless it does"
      )
    }
    return (.failure, "does not let this server send", "put mx behind v=spf1")
  }
}

/// The parts of an SPF record that say who may send. Macros and other records are not followed.
struct SenderPolicy: Hashable, Sendable {
  enum EverybodyElse: Hashable, Sendable {
    case pass, neutral, refused
    /// `redirect=` says it.
    case elsewhere
  }

  private(set) var everybodyElse = EverybodyElse.neutral
  private(set) var networks: [IPNetwork] = []
  /// Of `a:`.
  private(set) var hosts: Set<String> = []
  /// `a` alone.
  private(set) var namesDomain = false
  /// Of `mx:`; empty for `mx` alone.
  private(set) var exchangers: Set<String> = []
  /// Terms whose meaning is in other records.
  private(set) var references: [String] = []

  /// - Parameter record: begins with `v=spf1`.
  init(_ record: [UInt8]) {
    let printable = record.map { 0x20...0x7E ~= $0 ? $0.asciiLowercased : UInt8(ascii: "?") }
    let text = String(decoding: printable, as: UTF8.self)
    var redirects = false
    for term in text.split(separator: " ").dropFirst() {
      let qualifier = term.first.flatMap { "+-~?".contains($0) ? $0 : nil }
      let mechanism = qualifier == nil ? term : term.dropFirst()
      if mechanism == "all" {
        everybodyElse = qualifier == "-" || qualifier == "~" ? .refused : qualifier == "?" ? .neutral : .pass
        // RFC 7208 §5.1: what stands behind it is not looked at.
        return
      }
      if term.hasPrefix("redirect=") {
        redirects = true
        references.append(String(term))
      } else if qualifier == nil || qualifier == "+" {
        add(mechanism)
      }
    }
    if redirects { everybodyElse = .elsewhere }
  }

  private mutating func add(_ mechanism: Substring) {
    let parts = mechanism.split(separator: ":", maxSplits: 1)
    let argument = parts.count == 2 ? String(parts[1]) : ""
    switch parts.first {
    case "ip4", "ip6": if let network = IPNetwork(argument) { networks.append(network) }
    case "a": if argument.isEmpty { namesDomain = true } else { hosts.insert(argument) }
    case "mx": exchangers.insert(argument)
    case "include", "exists", "ptr": references.append(String(mechanism))
    // `a/24` and the like: rare, and wider than it looks.
    case let name? where name.hasPrefix("a/") || name.hasPrefix("mx/"): references.append(String(mechanism))
    default: break
    }
  }
}
