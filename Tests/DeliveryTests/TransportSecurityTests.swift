import Cryptography
import DNS
import MessageFormat
import TestSupport
import Testing

@testable import Delivery

private let digest = [UInt8](repeating: 0xAB, count: 32)
private let domain = DomainName("example.test")!
private let host = DomainName("mx.example.test")!

@Suite struct TransportSecurityTests {
  private let resolver = FakeResolver([
    "mx.example.test": [.a("192.0.2.1")], "_25._tcp.mx.example.test": [.tlsa(3, 1, 1, digest), .tlsa(0, 1, 1, digest)],
  ])

  private func policy(_ mode: String, mx: String = "mx.example.test") throws -> MTASTSPolicy {
    try MTASTSPolicy(parsing: Array("version: STSv1\nmode: \(mode)\nmx: \(mx)\nmax_age: 1".utf8))
  }

  private func decide(
    mx security: Security = .secure, bases: [DomainName] = [host], policy: MTASTSPolicy? = nil
  ) async throws -> TransportSecurity.Decision {
    try await TransportSecurity(resolver: resolver).decide(
      HostAddresses(host: host, addresses: [], tlsaBases: bases),
      of: MailHosts(names: [host], security: security, isImplicit: false, domainNames: [domain]), domain: domain,
      policy: policy)
  }

  private func secured(_ decision: TransportSecurity.Decision) throws -> HostSecurity {
    guard case .secured(let security) = decision else { throw TLSFailure(.validationFailure, "refused") }
    return security
  }

  @Test func signedRecordsAreDANE() async throws {
    // Whatever the policy says: DANE comes first.
    let security = try secured(try await decide(policy: policy("enforce", mx: "other.test")))
    let usable = DANERecord(usage: 3, selector: 1, matchingType: 1, data: digest)
    #expect(
      security.assurance == .dane(DANEVerification(records: [usable], furtherNames: ["example.test"])))
    #expect(security.requiresTLS && security.serverName == host)
    #expect(security.policy.kind == .tlsa && security.policy.strings.count == 2 && security.policy.domain == host)
    _ = try security.makeContext()
  }

  @Test func recordsThatNobodyCanUseStillDemandTLS() async throws {
    resolver.set("_25._tcp.mx.example.test", [.tlsa(1, 1, 1, digest), .tlsa(3, 1, 1, [1])])
    let security = try secured(try await decide())
    #expect(security.assurance == .daneWithoutUsableRecords && security.requiresTLS)
    let info = TLSInfo(version: "TLSv1.3", cipher: "x")
    #expect(security.failure(offered: true, info: info, context: nil, reason: nil)?.kind == .tlsaInvalid)
  }

  @Test func theExpandedNameComesFirst() async throws {
    let alias = DomainName("alias.test")!
    let security = try secured(try await decide(bases: [alias, host]))
    #expect(security.serverName == host)
    resolver.set("_25._tcp.alias.test", [.tlsa(2, 0, 1, digest)])
    let expanded = try secured(try await decide(bases: [alias, host]))
    #expect(expanded.serverName == alias)
    guard case .dane(let dane) = expanded.assurance else { return }
    #expect(dane.furtherNames == ["mx.example.test", "example.test"])
  }

  @Test func unsignedAnswersAreNoDANE() async throws {
    #expect(try secured(try await decide(mx: .insecure)).assurance == .opportunistic)
    #expect(try secured(try await decide(bases: [])).assurance == .opportunistic)
    resolver.setInsecure("_25._tcp.mx.example.test")
    let security = try secured(try await decide())
    #expect(security.assurance == .opportunistic && !security.requiresTLS && security.policy.kind == .none)
  }

  @Test(arguments: [ResolutionError.bogus("signature"), .timedOut, .failed("SERVFAIL")])
  func whetherThereAreRecordsMustBeKnown(error: ResolutionError) async throws {
    resolver.fail("_25._tcp.mx.example.test", .tlsa, error)
    await #expect(throws: error) { _ = try await decide(policy: try policy("enforce")) }
    // For a host in an unsigned zone nobody asks, so a server that cannot answer breaks nothing.
    #expect(try secured(try await decide(bases: [])).assurance == .opportunistic)
  }

  @Test func policiesCountWithoutDANE() async throws {
    let enforced = try secured(try await decide(bases: [], policy: policy("enforce")))
    #expect(enforced.assurance == .mtaSTS(.enforce) && enforced.requiresTLS && enforced.policy.kind == .sts)
    #expect(enforced.policy.strings == ["version: STSv1", "mode: enforce", "mx: mx.example.test", "max_age: 1"])
    let tested = try secured(try await decide(bases: [], policy: policy("testing", mx: "other.test")))
    #expect(tested.assurance == .mtaSTS(.testing) && !tested.requiresTLS)
    let info = TLSInfo(version: "TLSv1.3", cipher: "x")
    #expect(tested.failure(offered: true, info: info, context: nil, reason: nil)?.kind == .validationFailure)
    #expect(try secured(try await decide(bases: [], policy: policy("none"))).assurance == .opportunistic)
    let other = try await decide(bases: [], policy: policy("enforce", mx: "*.other.test"))
    guard case .refused(let failure, let policy) = other else {
      Issue.record("a host that the policy does not name was taken")
      return
    }
    #expect(failure.kind == .validationFailure && policy.kind == .sts)
  }

  @Test(arguments: [
    (.secure, nil, true), (.insecure, nil, false), (.insecure, "mx.example.test", true),
    (.insecure, "other.test", false), (.secure, "other.test", true),
  ] as [(Security, String?, Bool)])
  func signedDNSOrThePolicyMakesAHostSure(mx: Security, named: String?, isSure: Bool) async throws {
    var tested: MTASTSPolicy?
    if let named { tested = try policy("testing", mx: named) }
    let security = try secured(try await decide(mx: mx, bases: [], policy: tested))
    #expect(security.isNameSure == isSure && !security.requiresTLS)
    // What nobody demands is no failure.
    var info = TLSInfo(version: "TLSv1.3", cipher: "x")
    info.certificateProblem = CertificateProblem(kind: .notTrusted, description: "x")
    let failure = security.failure(offered: true, info: info, context: nil, reason: nil)
    #expect(failure?.kind == (named == nil ? nil : named == "other.test" ? .validationFailure : .certificateNotTrusted))
    // A route may demand a good certificate; that makes nobody's word better.
    let raised = try #require(security.raised(to: .verified))
    #expect(raised.isNameSure == isSure)
    #expect(raised.failure(offered: true, info: info, context: nil, reason: nil)?.kind == .certificateNotTrusted)
  }

  @Test func resultsHaveTheReportsWords() throws {
    #expect(
      TLSFailure.Kind.allCases.map(\.rawValue) == [
        "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
        "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
        "sts-policy-invalid", "sts-webpki-invalid",
      ])
    #expect(TLSFailure(CertificateProblem(kind: .expired, description: "late")).kind == .certificateExpired)
    #expect(TLSFailure(ResolutionError.bogus("x")).kind == .dnssecInvalid)
  }

  @Test func whatAConnectionLacked() async throws {
    let security = try secured(try await decide(policy: nil))
    #expect(security.failure(offered: false, info: nil, context: nil, reason: nil)?.kind == .startTLSNotSupported)
    let failed = security.failure(offered: true, info: nil, context: nil, reason: "no shared cipher")
    #expect(failed == TLSFailure(.validationFailure, "no shared cipher"))
    var info = TLSInfo(version: "TLSv1.3", cipher: "x")
    #expect(security.failure(offered: true, info: info, context: nil, reason: nil) == nil)
    info.certificateProblem = CertificateProblem(kind: .wrongName, description: "x")
    #expect(security.failure(offered: true, info: info, context: nil, reason: nil)?.kind == .certificateHostMismatch)
  }
}
