import DNS
import Networking

/// Does the server's name lead to the server?
struct AddressCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let host = world.identity.hostname
    func finding(_ severity: DNSFinding.Severity, _ text: String, remedy: String? = nil) -> DNSFinding {
      DNSFinding(severity, "address", host.text, text, remedy: remedy)
    }
    let alias = try await world.answer(AliasRecord.self, at: host, for: "address").records.first?.name
    let published = try await world.addresses(of: host, for: "address")
    guard !published.isEmpty else {
      return [
        finding(
          .failure, "has neither an A nor an AAAA record: nobody finds the server",
          remedy: world.remedy(.address) ?? "publish its public addresses")
      ]
    }
    var findings: [DNSFinding] = []
    if let alias {
      // RFC 2181 §10.3: some senders refuse such an MX.
      findings.append(
        finding(
          .warning, "is an alias of \(alias), which the host of an MX record must not be",
          remedy: "publish its addresses instead of the CNAME"))
    }
    let inner = published.filter { !$0.isPublic }
    if !inner.isEmpty {
      findings.append(
        finding(
          .failure, "leads to \(list(inner)), which cannot be reached from outside",
          remedy: "publish the public address instead"))
    }
    findings += compared(published.filter(\.isPublic), world.identity, finding)
    if findings.isEmpty { findings.append(finding(.right, "leads to \(list(published))")) }
    return findings
  }

  /// Addresses that were named must be there, all of them; those of the interfaces say less, for a machine may have
  /// more than it is reached at, and a translator in front of it has others.
  private func compared(
    _ published: [IPAddress], _ identity: MailIdentity,
    _ finding: (DNSFinding.Severity, String, String?) -> DNSFinding
  ) -> [DNSFinding] {
    let unknown = published.filter { !identity.addresses.contains($0) }
    guard identity.areAddressesGiven else {
      guard !published.isEmpty, !identity.addresses.isEmpty, unknown.count == published.count else { return [] }
      return [
        finding(
          .warning, "leads to \(list(unknown)), and this machine has \(list(identity.addresses))",
          "right only if something in front of the server hands connections on to it")
      ]
    }
    var findings: [DNSFinding] = []
    for address in identity.addresses where !published.contains(address) {
      findings.append(
        finding(
          .failure, "does not lead to \(address)",
          "publish: \(identity.hostname). 3600 IN \(address.isIPv6 ? "AAAA" : "A") \(address)"))
    }
    if !unknown.isEmpty {
      findings.append(
        finding(.warning, "leads to \(list(unknown)) too", "take it out unless the server is reached there"))
    }
    return findings
  }

  private func list(_ addresses: [IPAddress]) -> String {
    addresses.prefix(8).map(\.description).joined(separator: ", ")
  }
}
