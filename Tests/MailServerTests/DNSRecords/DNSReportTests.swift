import Cryptography
import DKIM
import DNS
import Delivery
import MessageFormat
import Networking
import TestSupport
import Testing

@testable import MailServer

/// Worlds in which something is otherwise, and what is said of it.
@Suite struct DNSReportTests {
  private static let key: [UInt8] = Array(repeating: 0xAB, count: 32)
  private static let signing = signingKeyRecord()

  private static func signingKeyRecord(_ name: String = "202611-ed25519") -> KeyRecordText {
    // A key that is the same each time: what it is does not matter.
    guard let key = try? PublicKey(.ed25519, published: Array(repeating: 9, count: 32)),
      let selector = KeySelector(name), let domain = Domain("example.test"),
      let record = try? KeyRecordText(key, selector: selector, domain: domain)
    else { preconditionFailure("no key record") }
    return record
  }

  /// All that the printed zone asks for, and what others must add to it.
  private static func zone() -> [String: [FakeResolver.Record]] {
    var zone: [String: [FakeResolver.Record]] = [
      "example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 mx -all"), .txt("some-site-verification=1")],
      "mail.example.test": [.a("198.18.0.25"), .aaaa("2001:db8::25"), .caa("issue", "ca.test")],
      "25.0.18.198.in-addr.arpa": [.ptr("mail.example.test")],
      reverse("2001:db8::25"): [.ptr("mail.example.test")],
      signing.name: [.txt(signing.text)],
      "_dmarc.example.test": [.txt("v=DMARC1; p=quarantine; rua=mailto:postmaster@example.test")],
      "_mta-sts.example.test": [.txt("v=STSv1; id=1")],
      "_smtp._tls.example.test": [.txt("v=TLSRPTv1; rua=mailto:postmaster@example.test")],
      "_submissions._tcp.example.test": [.srv(0, 1, 465, "mail.example.test")],
      "_submission._tcp.example.test": [.srv(0, 1, 587, "mail.example.test")],
      "_imaps._tcp.example.test": [.srv(0, 1, 993, "mail.example.test")],
      "_imap._tcp.example.test": [.srv(0, 0, 0, "")],
      "_pop3s._tcp.example.test": [.srv(0, 1, 995, "mail.example.test")],
      "gmail.com": [.mx(5, "mx.gmail.test")],
      "mx.gmail.test": [.a("198.18.9.9")],
    ]
    for port in [25, 465, 587, 993, 995] { zone["_\(port)._tcp.mail.example.test"] = [.tlsa(3, 1, 1, key)] }
    return zone
  }

  private static func reverse(_ address: String) -> String {
    IPAddress(address).map { DomainName(reverseOf: $0).text } ?? ""
  }

  struct Change: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// The names whose records are others.
    var records: [String: [FakeResolver.Record]] = [:]
    var insecure: [String] = []
    var failure: (name: String, type: RecordType, error: ResolutionError)?
    var policy = "version: STSv1\nmode: enforce\nmx: mail.example.test\nmax_age: 604800\n"
    var dial = DialOutcome.greeted
    var smarthost: String?
    var certificate: [UInt8]? = DNSReportTests.key
    var addresses: [String] = ["198.18.0.25", "2001:db8::25"]
    var areGiven = true
    var keys = [DNSReportTests.signing]
    /// What is not right, as `severity subject: beginning of the text`, in order.
    var expected: [String] = []
  }

  static let changes: [Change] = [
    Change(testDescription: "everything is right"),
    Change(
      testDescription: "no MX", records: ["example.test": [.txt("v=spf1 a:mail.example.test -all")]],
      expected: ["failure MX: is missing"]),
    Change(
      testDescription: "mail goes elsewhere",
      records: ["example.test": [.mx(10, "mx.other.test"), .txt("v=spf1 mx -all")]],
      expected: ["failure MX: leads to mx.other.test and not", "failure SPF: does not let this server send"]),
    Change(
      testDescription: "the domain takes no mail",
      records: ["example.test": [.mx(0, ""), .txt("v=spf1 ip4:198.18.0.0/24 ip6:2001:db8::/32 -all")]],
      expected: ["failure MX: says that the domain takes no mail"]),
    Change(
      testDescription: "another host is asked first",
      records: [
        "example.test": [.mx(10, "mail.example.test"), .mx(5, "filter.test"), .txt("v=spf1 mx ~all")]
      ],
      expected: ["advice MX: leads to filter.test too"]),
    Change(
      testDescription: "no SPF", records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf10 -all")]],
      expected: ["failure SPF: is missing"]),
    Change(
      testDescription: "SPF twice",
      records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 mx -all"), .txt("v=spf1 -all")]],
      expected: ["failure SPF: is there 2 times"]),
    Change(
      testDescription: "SPF for everybody",
      records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 mx +all")]],
      expected: ["warning SPF: “v=spf1 mx +all” lets everybody"]),
    Change(
      testDescription: "SPF refers to others",
      records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 include:spf.other.test -all")]],
      expected: ["advice SPF: does not name this server itself; whether include:spf.other.test"]),
    Change(
      testDescription: "SPF for one of two addresses",
      records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 ip4:198.18.0.25 -all")]],
      expected: ["failure SPF: does not let this server send"]),
    Change(
      testDescription: "SPF refuses before it permits",
      records: ["example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 -all mx")]],
      expected: ["failure SPF: does not let this server send"]),
    Change(
      testDescription: "no key record", records: [signing.name: []], expected: ["failure DKIM: is missing"]),
    Change(
      testDescription: "another key", records: [signing.name: [.txt("v=DKIM1; k=ed25519; p=AAAA")]],
      expected: ["failure DKIM: is another key"]),
    Change(testDescription: "no keys", keys: [], expected: ["failure DKIM: there are no keys"]),
    Change(
      testDescription: "a successor that is not published yet", keys: [signing, signingKeyRecord("202612-ed25519")],
      expected: ["warning DKIM: is missing"]),
    Change(
      testDescription: "no PTR", records: ["25.0.18.198.in-addr.arpa": []],
      expected: ["failure PTR: 198.18.0.25 has no name"]),
    Change(
      testDescription: "PTR leads elsewhere",
      records: ["25.0.18.198.in-addr.arpa": [.ptr("host.provider.test")]],
      expected: ["failure PTR: 198.18.0.25 is called host.provider.test"]),
    Change(
      testDescription: "PTR is another name of the server",
      records: [
        "25.0.18.198.in-addr.arpa": [.ptr("host.provider.test")], "host.provider.test": [.a("198.18.0.25")],
      ],
      expected: ["warning PTR: 198.18.0.25 is host.provider.test"]),
    Change(
      testDescription: "no address", records: ["mail.example.test": [.caa("issue", "ca.test")]],
      expected: [
        "failure address: has neither", "failure PTR: 198.18.0.25 is called", "failure PTR: 2001:db8::25 is called",
      ]),
    Change(
      testDescription: "an address is missing, another is too many",
      records: ["mail.example.test": [.a("198.18.0.25"), .a("198.18.0.26"), .caa("issue", "ca.test")]],
      expected: [
        "failure address: does not lead to 2001:db8::25", "warning address: leads to 198.18.0.26 too",
        "failure PTR: 2001:db8::25 is called mail.example.test",
      ]),
    Change(
      testDescription: "an address from inside",
      records: ["mail.example.test": [.a("192.168.1.5"), .caa("issue", "ca.test")]], addresses: [], areGiven: false,
      expected: ["failure address: leads to 192.168.1.5, which cannot be reached"]),
    Change(
      testDescription: "the machine has other addresses", addresses: ["198.18.7.7"], areGiven: false,
      expected: ["warning address: leads to 198.18.0.25, 2001:db8::25, and this machine has 198.18.7.7"]),
    Change(
      testDescription: "the host is an alias",
      records: [
        "mail.example.test": [.cname("real.test")],
        "real.test": [.a("198.18.0.25"), .aaaa("2001:db8::25"), .caa("issue", "ca.test")],
      ],
      expected: ["warning address: is an alias of real.test"]),
    Change(
      testDescription: "no DMARC", records: ["_dmarc.example.test": []], expected: ["warning DMARC: is missing"]),
    Change(
      testDescription: "DMARC watches silently", records: ["_dmarc.example.test": [.txt("v=DMARC1;p=none")]],
      expected: ["advice DMARC: only watches", "advice DMARC: asks for no reports"]),
    Change(
      testDescription: "DMARC without a policy", records: ["_dmarc.example.test": [.txt("v=DMARC1; rua=mailto:a@b.c")]],
      expected: ["warning DMARC: “v=DMARC1; rua=mailto:a@b.c” has no policy"]),
    Change(
      testDescription: "nothing is signed", insecure: ["example.test", "mail.example.test"],
      expected: ["advice DNSSEC: is not signed", "advice DNSSEC: is not signed"]),
    Change(
      testDescription: "no TLSA",
      records: Dictionary(
        uniqueKeysWithValues: [25, 465, 587, 993, 995].map { ("_\($0)._tcp.mail.example.test", []) }),
      expected: ["advice TLSA: is missing for port 25:"]),
    Change(
      testDescription: "TLSA only for mail servers",
      records: Dictionary(uniqueKeysWithValues: [465, 587, 993, 995].map { ("_\($0)._tcp.mail.example.test", []) }),
      expected: ["advice TLSA: is missing for port 465, 587, 993, 995:"]),
    Change(
      testDescription: "TLSA of another key in a signed zone",
      records: ["_25._tcp.mail.example.test": [.tlsa(3, 1, 1, Array(repeating: 1, count: 32))]],
      expected: ["failure TLSA: is the key of another certificate: servers"]),
    Change(
      testDescription: "TLSA of another key in a zone without signatures",
      records: ["_25._tcp.mail.example.test": [.tlsa(3, 1, 1, Array(repeating: 1, count: 32))]],
      insecure: ["_25._tcp.mail.example.test"],
      expected: ["warning TLSA: is the key of another certificate, which shows"]),
    Change(
      testDescription: "TLSA of an authority",
      records: ["_25._tcp.mail.example.test": [.tlsa(2, 1, 1, Array(repeating: 1, count: 32))]],
      expected: ["advice TLSA: has records that are compared"]),
    Change(
      testDescription: "no MTA-STS, TLSRPT and CAA",
      records: [
        "_mta-sts.example.test": [], "_smtp._tls.example.test": [],
        "mail.example.test": [.a("198.18.0.25"), .aaaa("2001:db8::25")],
      ],
      expected: ["advice MTA-STS: is missing", "advice TLSRPT: is missing", "advice CAA: is missing"]),
    Change(
      testDescription: "CAA of the domain counts for the host",
      records: [
        "mail.example.test": [.a("198.18.0.25"), .aaaa("2001:db8::25")],
        "example.test": [.mx(10, "mail.example.test"), .txt("v=spf1 mx -all"), .caa("issue", ";")],
      ],
      expected: ["warning CAA: lets no authority"]),
    Change(
      testDescription: "MTA-STS forbids this server",
      policy: "version: STSv1\nmode: enforce\nmx: mx.other.test\nmax_age: 604800\n",
      expected: ["failure MTA-STS: forbids to send mail to mail.example.test"]),
    Change(
      testDescription: "MTA-STS without a policy", policy: "",
      expected: ["warning MTA-STS: is there, and its policy is not one: it is not of version STSv1"]),
    Change(
      testDescription: "TLSRPT without an address", records: ["_smtp._tls.example.test": [.txt("v=TLSRPTv1;")]],
      expected: ["warning TLSRPT: names nobody"]),
    Change(
      testDescription: "SRV records that are missing, elsewhere, or not secure",
      records: [
        "_imaps._tcp.example.test": [.srv(0, 1, 993, "other.test")], "_pop3s._tcp.example.test": [],
        "_imap._tcp.example.test": [.srv(0, 1, 143, "mail.example.test")],
      ],
      expected: [
        "warning SRV: leads to other.test:993", "advice SRV: leads clients to a port without TLS",
        "advice SRV: is missing for _pop3s._tcp.example.test",
      ]),
    Change(
      testDescription: "port 25 is closed", dial: .failed("no answer within 10 s"),
      expected: ["failure port 25: mx.gmail.test does not answer ([198.18.9.9] no answer within 10 s)"]),
    Change(
      testDescription: "a smarthost, and SPF does not know it", records: ["25.0.18.198.in-addr.arpa": []],
      dial: .failed("no route"), smarthost: "relay.test",
      expected: [
        "advice PTR: 198.18.0.25 has no name", "warning SPF: names nobody else, and mail leaves through relay.test",
      ]),
    Change(
      testDescription: "DNS does not answer", failure: ("_dmarc.example.test", .txt, .timedOut),
      expected: ["warning DMARC: could not be looked up"]),
    Change(
      testDescription: "signatures are wrong", failure: ("_dmarc.example.test", .txt, .bogus("expired")),
      expected: ["failure DMARC: DNSSEC: expired"]),
    Change(
      testDescription: "what strangers write does not reach the terminal as it is",
      records: ["_dmarc.example.test": [.txt("v=DMARC1;\u{1B}[2Jx")]],
      expected: ["warning DMARC: “v=DMARC1;?[2Jx” has no policy"]),
  ]

  @Test(arguments: changes) func isSaidInWords(_ change: Change) async throws {
    let resolver = FakeResolver(Self.zone().merging(change.records) { $1 })
    for name in change.insecure { resolver.setInsecure(name) }
    if let failure = change.failure { resolver.fail(failure.name, failure.type, failure.error) }
    let report = try await Self.world(change, resolver).report()
    let found = report.findings.filter { $0.severity != .right }
    let texts = found.map { "\($0.severity.rawValue) \($0.subject): \($0.text)" }
    #expect(texts.count == change.expected.count, "\(texts)")
    for (text, expected) in zip(texts, change.expected) { #expect(text.hasPrefix(expected)) }
    #expect(report.findings.contains { $0.severity == .right })
  }

  @Test func aResolverThatHidesSignaturesIsToBlameAndNoDomain() async throws {
    let resolver = FakeResolver(Self.zone())
    resolver.fail(".", .ns, .bogus("no DNSKEY"))
    let report = await (try Self.world(Self.changes[0], resolver)).report()
    #expect(report.findings.map(\.subject) == ["resolver"] && report.worst == .failure)
    #expect(resolver.asked == ["ns ."])
  }

  private static func world(_ change: Change, _ resolver: FakeResolver) throws -> DNSWorld {
    let identity = MailIdentity(
      domain: try #require(DomainName("example.test")), hostname: try #require(DomainName("mail.example.test")),
      addresses: change.addresses.compactMap { IPAddress($0) }, areAddressesGiven: change.areGiven,
      keyRecords: change.keys, publicKeyDigest: change.certificate,
      smarthost: change.smarthost.flatMap { DomainName($0) })
    let outcome = change.dial
    return DNSWorld(
      identity: identity, resolver: resolver, policies: FixedPolicy(text: Array(change.policy.utf8)),
      dial: { _ in outcome })
  }
}

private struct FixedPolicy: PolicyFetching {
  let text: [UInt8]
  func policyText(of domain: DomainName) async throws(PolicyFetchError) -> [UInt8] { text }
}
