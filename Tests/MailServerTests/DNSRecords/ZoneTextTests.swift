import DNS
import Networking
import Testing

@testable import MailServer

@Suite struct ZoneTextTests {
  private static func identity(hostname: String) throws -> MailIdentity {
    MailIdentity(
      domain: try #require(DomainName("example.org")), hostname: try #require(DomainName(hostname)),
      addresses: ["198.18.0.25", "2001:db8::25"].compactMap { IPAddress($0) }, areAddressesGiven: true,
      publicKeyDigest: Array(repeating: 0x0A, count: 32))
  }

  private static func records(_ text: String) -> [Substring] {
    text.split(separator: "\n").filter { !$0.hasPrefix(";") }
  }

  @Test func holdsEveryRecordOnALineOfItsOwn() throws {
    let digest = String(repeating: "0a", count: 32)
    let policy = try Self.identity(hostname: "mail.example.org").transportPolicyID
    #expect(
      Self.records(try Self.identity(hostname: "mail.example.org").zoneText) == [
        "example.org. 3600 IN MX 10 mail.example.org.",
        "mail.example.org. 3600 IN A 198.18.0.25",
        "mail.example.org. 3600 IN AAAA 2001:db8::25",
        "example.org. 3600 IN TXT \"v=spf1 mx -all\"",
        "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=quarantine; rua=mailto:postmaster@example.org\"",
        "_25._tcp.mail.example.org. 3600 IN TLSA 3 1 1 \(digest)",
        "_465._tcp.mail.example.org. 3600 IN TLSA 3 1 1 \(digest)",
        "_587._tcp.mail.example.org. 3600 IN TLSA 3 1 1 \(digest)",
        "_993._tcp.mail.example.org. 3600 IN TLSA 3 1 1 \(digest)",
        "_995._tcp.mail.example.org. 3600 IN TLSA 3 1 1 \(digest)",
        "_mta-sts.example.org. 3600 IN TXT \"v=STSv1; id=\(policy)\"",
        "_smtp._tls.example.org. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@example.org\"",
        "_submissions._tcp.example.org. 3600 IN SRV 0 1 465 mail.example.org.",
        "_submission._tcp.example.org. 3600 IN SRV 0 1 587 mail.example.org.",
        "_imaps._tcp.example.org. 3600 IN SRV 0 1 993 mail.example.org.",
        "_pop3s._tcp.example.org. 3600 IN SRV 0 1 995 mail.example.org.",
        "_imap._tcp.example.org. 3600 IN SRV 0 0 0 .",
      ])
  }

  @Test func namesOfOtherZonesAreComments() throws {
    let text = try Self.identity(hostname: "mx.hosting.net").zoneText
    #expect(Self.records(text).allSatisfy { $0.prefix { $0 != " " }.hasSuffix("example.org.") })
    #expect(text.contains("\n; mx.hosting.net. 3600 IN A 198.18.0.25\n"))
    #expect(text.contains("\n; _25._tcp.mx.hosting.net. 3600 IN TLSA 3 1 1 "))
  }

  @Test func withoutAddressesThereIsAPlaceForThem() throws {
    var identity = try Self.identity(hostname: "mail.example.org")
    identity.addresses = []
    #expect(identity.zoneText.contains("\n; mail.example.org. 3600 IN A (the server's public address)\n"))
  }

  @Test func theIDOfAPolicyChangesWithIt() throws {
    let one = try Self.identity(hostname: "mail.example.org"), other = try Self.identity(hostname: "mx.example.org")
    #expect(one.transportPolicyID != other.transportPolicyID && one.transportPolicyID.count == 16)
  }

  @Test func longTextsAreSeveralStrings() throws {
    let text = String(repeating: "a", count: 254) + "\"\\" + String(repeating: "b", count: 10)
    let name = try #require(DomainName("k.example.org"))
    let record = ExpectedRecord(purpose: .signingKey, name: name, value: .text(text))
    #expect(record.data == "\"\(String(repeating: "a", count: 254))\\\"\" \"\\\\\(String(repeating: "b", count: 10))\"")
  }

  @Test(arguments: [
    ("10.1.2.3", false), ("100.64.0.1", false), ("172.31.0.1", false), ("172.32.0.1", true), ("192.168.0.1", false),
    ("127.0.0.1", false), ("169.254.1.1", false), ("224.0.0.1", false), ("255.255.255.255", false), ("9.9.9.9", true),
    ("::1", false), ("fe80::1", false), ("fd00::1", false), ("ff02::1", false), ("2620:fe::fe", true),
  ])
  func addressesArePublicOrNot(_ text: String, _ isPublic: Bool) throws {
    #expect(try #require(IPAddress(text)).isPublic == isPublic)
  }
}
