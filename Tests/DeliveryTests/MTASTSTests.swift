import DNS
import MessageFormat
import Testing

@testable import Delivery

private func record(_ text: String) -> TextRecord {
  let bytes = Array(text.utf8)
  return TextRecord(rdata: [UInt8(bytes.count)] + bytes)!
}

@Suite struct MTASTSRecordTests {
  @Test(arguments: [
    // RFC 8461 §3.1.
    ("v=STSv1; id=20160831085700Z;", "20160831085700Z"), ("v=STSv1;id=1", "1"), ("v=STSv1 ; id=1 ; ", nil),
    ("v=STSv1; id=1; more=x-y.z", "1"), ("v=STSv1; more=x; id=1", "1"), ("v=STSv1;\tid=1", "1"),
    ("v=STSv1; id=1; id=2", "1"), ("v=STSv1;", nil), ("v=STSv1", nil), ("v=STSv1; id=", nil), ("v=STSv1; id=a-b", nil),
    ("v=STSv1; id=" + String(repeating: "1", count: 32), String(repeating: "1", count: 32)),
    ("v=STSv1; id=" + String(repeating: "1", count: 33), nil), ("v=STSv2; id=1", nil), ("V=STSv1; id=1", nil),
    (" v=STSv1; id=1", nil), ("v=STSv1; id=1 x", nil), ("v=STSv1;; id=1", nil), ("v=spf1 -all", nil),
  ] as [(String, String?)])
  func records(text: String, id: String?) { #expect(MTASTSRecord([record(text)])?.id == id) }

  @Test func oneAmongOthers() {
    #expect(MTASTSRecord([record("v=spf1 -all"), record("v=STSv1; id=1")])?.id == "1")
    #expect(MTASTSRecord([record("v=STSv1; id=1"), record("v=STSv1; id=2")]) == nil)
    #expect(MTASTSRecord([]) == nil)
  }
}

private func policy(_ text: String) throws(MTASTSPolicyError) -> MTASTSPolicy {
  try MTASTSPolicy(parsing: Array(text.utf8))
}

@Suite struct MTASTSPolicyTests {
  /// RFC 8461 §3.2 and appendix A.
  private static let example = """
    version: STSv1\r
    mode: enforce\r
    mx: mail.example.com\r
    mx: *.example.net\r
    mx: backupmx.example.com\r
    max_age: 604800\r

    """

  @Test func thePolicyOfTheRFC() throws {
    let parsed = try policy(Self.example)
    #expect(parsed.mode == .enforce && parsed.maximumAge == 604_800)
    #expect(parsed.patterns == ["mail.example.com", "*.example.net", "backupmx.example.com"])
    #expect(try policy(Self.example.replacing("\r", with: "")) == parsed)
  }

  @Test(arguments: [
    ("mail.example.com", true), ("MAIL.example.com.", true), ("a.example.net", true), ("example.net", false),
    ("a.b.example.net", false), ("example.com", false), ("evilexample.net", false), ("net", false),
  ])
  func hostsAreAllowedByPattern(host: String, isAllowed: Bool) throws {
    #expect(try policy(Self.example).allows(try #require(DomainName(host))) == isAllowed)
  }

  @Test(arguments: [
    ("", .noVersion), ("version: STSv1\nmode: enforce\nmax_age: 1", .noHosts), ("mode: none\nmax_age: 1", .noVersion),
    ("version: STSv2\nmode: none\nmax_age: 1", .noVersion), ("version: STSv1\nmax_age: 1", .noMode),
    ("version: STSv1\nmode: strict\nmax_age: 1", .noMode), ("version: STSv1\nmode: none", .noMaximumAge),
    ("version: STSv1\nmode: none\nmax_age: -1", .noMaximumAge),
    ("version: STSv1\nmode: none\nmax_age: 12345678901", .noMaximumAge),
    ("version: STSv1\nmode: testing\nmax_age: 1\nmx: a b", .badHost),
    ("version: STSv1\nmode: testing\nmax_age: 1\nmx: *", .badHost),
    ("version: STSv1\nmode: testing\nmax_age: 1\nmx: *.*.a.test", .badHost),
    ("version: STSv1\nmode: testing\nmax_age: 1\nmx: a.*.test", .badHost),
    ("<html>\n<body>", .malformedLine), ("version: STSv1\nwhat", .malformedLine), ("two words: x", .malformedLine),
  ] as [(String, MTASTSPolicyError)])
  func whatIsNoPolicy(text: String, error: MTASTSPolicyError) { #expect(throws: error) { try policy(text) } }

  @Test func whatIsPassedOver() throws {
    let parsed = try policy(
      "version:STSv1 \nmode:  testing\t\nmode: none\nmx: A.test\n\nx-new: value with: colons \u{E9}\n"
        + "max_age: 9999999999\n")
    #expect(parsed.mode == .testing && parsed.patterns == ["a.test"])
    #expect(parsed.maximumAge == MTASTSPolicy.longestAge)
    #expect(try policy("version: STSv1\nmode: none\nmax_age: 0").patterns.isEmpty)
  }

  @Test func endlessHostsAreRefused() {
    let text = "version: STSv1\nmode: enforce\nmax_age: 1\n" + String(repeating: "mx: a.test\n", count: 1_001)
    #expect(throws: MTASTSPolicyError.tooManyHosts) { try policy(text) }
  }
}

private let start = Timestamp(seconds: 1_768_478_400)
private let kept = try! KeptPolicy(
  id: "1", text: Array("version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 604800\n".utf8), fetched: start)

@Suite struct PolicyStepTests {
  /// Hours since the policy was fetched; what DNS says; seconds since a fetch of id 2 failed; what follows.
  @Test(arguments: [
    (1, .policy(id: "1"), nil, .use(kept)), (1, .none, nil, .use(kept)), (1, .unknown, nil, .use(kept)),
    (1, .policy(id: "2"), nil, .fetch(id: "2")), (1, .policy(id: "2"), 299, .use(kept)),
    (1, .policy(id: "2"), 300, .fetch(id: "2")), (25, .policy(id: "1"), nil, .fetch(id: "1")),
    (25, .none, nil, .use(kept)),
    (167, .none, nil, .use(kept)), (168, .none, nil, .noPolicy), (168, .unknown, nil, .noPolicy),
    (168, .policy(id: "1"), nil, .fetch(id: "1")), (168, .policy(id: "2"), 10, .noPolicy),
  ] as [(Int64, PolicyStep.Announcement, Int64?, PolicyStep)])
  func whatComesNext(hours: Int64, announced: PolicyStep.Announcement, failed: Int64?, step: PolicyStep) {
    let now = start.advanced(by: .seconds(hours * 3_600))
    let failure = failed.map { FailedFetch(id: "2", time: now.advanced(by: .seconds(-$0))) }
    #expect(PolicyStep.next(kept: kept, announced: announced, failed: failure, now: now) == step)
  }

  @Test func withoutAPolicy() {
    let now = start
    #expect(PolicyStep.next(kept: nil, announced: .none, failed: nil, now: now) == .noPolicy)
    #expect(PolicyStep.next(kept: nil, announced: .unknown, failed: nil, now: now) == .noPolicy)
    #expect(PolicyStep.next(kept: nil, announced: .policy(id: "1"), failed: nil, now: now) == .fetch(id: "1"))
  }
}
