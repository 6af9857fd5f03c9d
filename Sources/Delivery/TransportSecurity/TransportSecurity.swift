import Cryptography
package import DNS

/// Decides what TLS a host is owed: DANE where signed DNS has TLSA records, else MTA-STS where the domain has a policy,
/// else whatever there is. RFC 8461 §2: a policy never makes up for DANE that failed.
package struct TransportSecurity: Sendable {
  package enum Decision: Sendable {
    case secured(HostSecurity)
    /// Nothing may be sent to this host; another one of the domain may do.
    case refused(TLSFailure, TLSResult.Policy)
  }

  private let resolver: any Resolving
  private let port: UInt16

  /// - Parameter port: the one that is connected to, and that TLSA records are for.
  package init(resolver: any Resolving, port: UInt16 = 25) {
    self.resolver = resolver
    self.port = port
  }

  /// - Parameters:
  ///   - domain: of the recipients.
  ///   - policy: what `PolicyDiscovery` has found for it.
  /// - Throws: if it cannot be known whether there are TLSA records; the host must wait, or whoever suppresses answers
  ///   could suppress DANE.  RFC 7672 §2.1.
  package func decide(
    _ host: HostAddresses, of hosts: MailHosts, domain: DomainName, policy: MTASTSPolicy?
  ) async throws(ResolutionError) -> Decision {
    // RFC 7672 §2.2.1: a host that an unsigned answer names may be anybody's, with records in order.
    if hosts.security == .secure {
      for base in host.tlsaBases {
        guard let name = base.prefixed(by: "_\(port)._tcp") else { continue }
        let answer = try await resolver.records(TLSARecord.self, at: name)
        guard answer.isSecure, case .records(let records) = answer.content else { continue }
        return .secured(dane(records, host, base, hosts))
      }
    }
    return webPKI(host.host, hosts, domain, policy)
  }

  private func dane(
    _ records: [TLSARecord], _ host: HostAddresses, _ base: DomainName, _ hosts: MailHosts
  ) -> HostSecurity {
    let usable = records.map(\.verification).filter(\.isUsable)
    // RFC 7672 §3.2.2: the base, the name before aliases, and the domain where its MX records are signed.
    let further = ([host.host] + hosts.domainNames).filter { $0 != base }.map(\.text)
    let policy = TLSResult.Policy(
      kind: .tlsa, domain: base, strings: records.map(\.description), hostPatterns: [])
    guard !usable.isEmpty else {
      return HostSecurity(
        .daneWithoutUsableRecords, serverName: base, policy: policy,
        shortcoming: TLSFailure(.tlsaInvalid, "none of the TLSA records is usable"), isNameSure: true)
    }
    return HostSecurity(
      .dane(DANEVerification(records: usable, furtherNames: further)), serverName: base, policy: policy,
      isNameSure: true)
  }

  private func webPKI(
    _ host: DomainName, _ hosts: MailHosts, _ domain: DomainName, _ policy: MTASTSPolicy?
  ) -> Decision {
    let isSigned = hosts.security == .secure
    guard let policy, policy.mode != .none else {
      return .secured(.opportunistic(host, domain, isNameSure: isSigned))
    }
    let reported = TLSResult.Policy(
      kind: .sts, domain: domain, strings: policy.lines, hostPatterns: policy.patterns)
    let unnamed =
      policy.allows(host)
      ? nil : TLSFailure(.validationFailure, "the MTA-STS policy of \(domain) does not name \(host)")
    if policy.mode == .enforce, let unnamed { return .refused(unnamed, reported) }
    return .secured(
      HostSecurity(
        .mtaSTS(policy.mode), serverName: host, policy: reported, shortcoming: unnamed,
        isNameSure: isSigned || unnamed == nil))
  }
}

extension TLSARecord {
  var verification: DANERecord {
    DANERecord(usage: usage, selector: selector, matchingType: matchingType, data: data)
  }
}

extension MTASTSPolicy {
  /// As `policy-string` of a report has it.  RFC 8460 §4.4.
  var lines: [String] {
    ["version: STSv1", "mode: \(mode.rawValue)"] + patterns.map { "mx: \($0)" } + ["max_age: \(maximumAge)"]
  }
}
