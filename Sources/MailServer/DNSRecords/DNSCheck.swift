import Bytes
package import DNS
package import Delivery
package import Networking

/// Looks at one matter in DNS and says what is right with it and what is not.
protocol DNSCheck: Sendable {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding]
}

/// What checks need: what should be there, and whom to ask what is.
package struct DNSWorld: Sendable {
  package var identity: MailIdentity
  package var resolver: any Resolving
  package var policies: any PolicyFetching
  /// How the server calls itself to others.
  package var greetingName: DomainName
  /// Addresses of this machine that mail leaves from; empty: those that it is received at.
  package var sources: [IPAddress]
  /// False: the resolver trusts nobody's signatures, and everything is insecure.
  package var isValidating: Bool
  /// Tries whether another mail server answers; nil where this one sends nothing.
  package var dial: (@Sendable (IPAddress) async -> DialOutcome)?

  package init(
    identity: MailIdentity, resolver: any Resolving, policies: any PolicyFetching, greetingName: DomainName? = nil,
    sources: [IPAddress] = [], isValidating: Bool = true, dial: (@Sendable (IPAddress) async -> DialOutcome)?
  ) {
    self.identity = identity
    self.resolver = resolver
    self.policies = policies
    self.greetingName = greetingName ?? identity.hostname
    self.sources = sources
    self.isValidating = isValidating
    self.dial = dial
  }

  /// Looks at everything, in the order of the printed zone.
  package func report() async -> DNSReport {
    let blindness = await findings([ResolverCheck()])
    return DNSReport(
      domain: identity.domain.text, hostname: identity.hostname.text,
      findings: blindness.isEmpty ? await findings(Self.checks) : blindness)
  }

  private static let checks: [any DNSCheck] = [
    MailExchangerCheck(), AddressCheck(), ReverseNameCheck(), SenderPolicyCheck(), SigningKeyCheck(),
    MessagePolicyCheck(), SignedZoneCheck(), CertificateRecordCheck(), TransportPolicyCheck(), TransportReportCheck(),
    ServiceRecordCheck(), AuthorityCheck(), OutwardCheck(),
  ]

  /// Of all of them, in their order.
  private func findings(_ checks: [any DNSCheck]) async -> [DNSFinding] {
    // At once: a name server that is down takes its time with each question.
    let found = await withTaskGroup(of: (Int, [DNSFinding]).self) { group in
      for index in checks.indices {
        let check = checks[index]
        group.addTask { (index, await outcome(of: check)) }
      }
      var found = [[DNSFinding]](repeating: [], count: checks.count)
      for await (index, findings) in group { found[index] = findings }
      return found
    }
    return found.flatMap { $0 }
  }

  private func outcome(of check: any DNSCheck) async -> [DNSFinding] {
    do throws(Unanswered) {
      return try await check.findings(in: self)
    } catch {
      return [error.finding]
    }
  }
}

/// DNS gave no answer, so there is nothing to compare.
struct Unanswered: Error {
  let finding: DNSFinding

  init(_ subject: String, _ name: DomainName, _ error: ResolutionError) {
    if case .bogus = error {
      finding = DNSFinding(
        .failure, subject, name.text, "\(error): whoever checks signatures sees nothing at this name",
        remedy: "have the zone signed again, or take its DS record out of the zone above")
    } else {
      finding = DNSFinding(.warning, subject, name.text, "could not be looked up: \(error)", remedy: "try again later")
    }
  }
}

extension DNSWorld {
  func answer<Record: RecordData>(
    _ type: Record.Type, at name: DomainName, for subject: String
  ) async throws(Unanswered) -> Answer<Record> {
    do throws(ResolutionError) {
      return try await resolver.records(type, at: name)
    } catch {
      throw Unanswered(subject, name, error)
    }
  }

  /// The texts at a name that begin with a version such as `v=spf1`, letter case aside, and then end or go on with
  /// something else than a letter or digit.
  func texts(
    at name: DomainName, beginningWith version: String, for subject: String
  ) async throws(Unanswered) -> [[UInt8]] {
    try await answer(TextRecord.self, at: name, for: subject).records.map(\.text).filter { text in
      let count = version.utf8.count
      guard text.count >= count,
        zip(text, version.utf8).allSatisfy({ $0.asciiLowercased == $1.asciiLowercased })
      else { return false }
      return text.count == count || !text[count].isIn([.alpha, .digit])
    }
  }

  /// IPv4 first, aliases followed.
  func addresses(of host: DomainName, for subject: String) async throws(Unanswered) -> [IPAddress] {
    let four = try await answer(IPv4Record.self, at: host, for: subject)
    let six = try await answer(IPv6Record.self, at: host, for: subject)
    return four.records.map(\.address) + six.records.map(\.address)
  }

  /// The addresses that others see mail come from, at most so many as anybody has.
  func sendingAddresses(for subject: String) async throws(Unanswered) -> [IPAddress] {
    if !sources.isEmpty { return sources }
    if identity.areAddressesGiven { return Array(identity.addresses.prefix(16)) }
    let published = try await addresses(of: identity.hostname, for: subject)
    return Array((published.isEmpty ? identity.addresses : published).prefix(16))
  }

  /// The line of the printed zone that would put it right.
  func remedy(_ purpose: ExpectedRecord.Purpose, instead: Bool = false) -> String? {
    let lines = identity.records(for: purpose).map { $0.zoneFileLine() }
    return lines.first.map { (instead ? "publish instead: " : "publish: ") + $0 }
  }
}
