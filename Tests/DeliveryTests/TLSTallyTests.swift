import DNS
import Networking
import Testing

@testable import Delivery

private let domain = DomainName("example.test")!
private let host = DomainName("mx.example.test")!
private let sts = TLSResult.Policy(
  kind: .sts, domain: domain, strings: ["version: STSv1", "mode: enforce"], hostPatterns: ["*.example.test"])

private func result(
  _ policy: TLSResult.Policy = sts, _ failure: TLSFailure? = nil, address: String = "192.0.2.1"
) -> TLSResult {
  TLSResult(
    policy: policy, host: host, hostAddress: IPAddress(address), ownAddress: IPAddress("198.51.100.7"),
    failure: failure)
}

@Suite struct TLSTallyTests {
  @Test func whatIsAlikeIsOneLine() throws {
    var tally = TLSTally(domain: domain)
    let expired = TLSFailure(.certificateExpired, "it is over")
    for _ in 0..<3 { tally.count(result()) }
    for _ in 0..<2 { tally.count(result(sts, expired)) }
    tally.count(result(sts, expired, address: "2001:db8::1"))
    tally.count(result(TLSResult.Policy(kind: .none, domain: domain)))
    #expect(tally.entries.map(\.successes) == [3, 1] && tally.entries.map(\.failed) == [3, 0])
    #expect(tally.entries[0].failures.values.sorted() == [1, 2])

    // What is kept is the same, and can be added to.
    var kept = try #require(TLSTally(decoding: tally.encoded, domain: domain))
    #expect(kept == tally)
    kept.merge(tally)
    #expect(kept.entries.map(\.successes) == [6, 2] && kept.entries[0].failures.values.sorted() == [2, 4])
  }

  @Test func whatIsToldApartIsBounded() throws {
    var tally = TLSTally(domain: domain)
    for number in 0..<10_000 {
      let policy = TLSResult.Policy(
        kind: .tlsa, domain: DomainName("mx\(number).example.test")!, strings: ["3 1 1 \(number)"])
      tally.count(result(policy, TLSFailure(.validationFailure, "reason \(number)")))
      tally.count(result(policy))
    }
    #expect(tally.entries.count == TLSTally.mostPolicies + 1)
    #expect(tally.entries.reduce(0) { $0 + $1.failures.count } <= TLSTally.mostFailures + TLSTally.mostPolicies + 1)
    #expect(tally.entries.reduce(0) { $0 + $1.failed } == 10_000)
    #expect(tally.entries.reduce(0) { $0 + $1.successes } == 10_000)
    #expect(tally.encoded.utf8.count < 100_000)
    #expect(TLSTally(decoding: tally.encoded, domain: domain) == tally)
  }

  @Test func strangersWordsStayInTheirPlace() throws {
    var tally = TLSTally(domain: domain)
    let policy = TLSResult.Policy(
      kind: .sts, domain: domain, strings: ["a\tb\nfailure\tc"] + [String](repeating: "x", count: 500),
      hostPatterns: [String(repeating: "y", count: 9_999)])
    tally.count(result(policy, TLSFailure(.validationFailure, "said \"550\tno\r\nway\" \u{1F4A5}")))
    let kept = try #require(TLSTally(decoding: tally.encoded, domain: domain))
    #expect(kept == tally && kept.entries.count == 1)
    #expect(kept.entries[0].policy.strings.count == TLSTally.mostStrings)
    #expect(kept.entries[0].failures.first?.key.reason == "said \"550 no  way\" \u{1F4A5}")
  }

  @Test(arguments: [
    "x", "policy", "policy\tsts\texample.test\t1", "policy\tsts\texample.test\tmany\t0",
    "policy\tsts\texample.test\t1\t2\ta",
    "policy\tsts\texample.test\t1\t-1", "policy\tother\texample.test\t1\t0", "failure\tvalidation-failure\t1\t\t\t\tx",
    "policy\tsts\texample.test\t1\t0\nfailure\tnothing\t1\t\t\t\tx",
  ])
  func whatWasNotKeptIsNotRead(text: String) { #expect(TLSTally(decoding: text, domain: domain) == nil) }
}
