import Bytes
import MessageFormat
import Networking
import Testing

@testable import DNS

@Suite struct DomainNameTests {
  @Test(arguments: [
    ("Example.COM.", "example.com"), ("example.com", "example.com"), (".", "."),
    ("_25._tcp.mx.test", "_25._tcp.mx.test"),
    ("0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa"), ("", nil), ("a..b", nil), (".a", nil), ("a b", nil),
    (#"a\.b"#, nil), ("a;b", nil), ("bücher.test", nil), (String(repeating: "a", count: 64), nil),
    (String(repeating: "a.", count: 126) + "a", String(repeating: "a.", count: 126) + "a"),
    (String(repeating: "a.", count: 127) + "a", nil),
  ] as [(String, String?)])
  func namesAreReadFromText(text: String, canonical: String?) { #expect(DomainName(text)?.text == canonical) }

  @Test func uLabelsBecomeALabels() throws {
    #expect(DomainName(try #require(Domain("bücher.example")))?.text == "xn--bcher-kva.example")
    #expect(DomainName(try #require(Domain("[192.0.2.1]"))) == nil)
  }

  @Test(arguments: [
    ([3, 102, 111, 111, 0], "foo"), ([0], "."), ([1, 65, 1, 98, 0], "a.b"), ([], nil), ([3, 102], nil), ([1, 97], nil),
    // A pointer of compressed names has no place in what the resolver hands out.
    ([0xC0, 12], nil), ([1, 0x2E, 0], nil), ([1, 0xFF, 0], nil),
  ] as [([UInt8], String?)])
  func namesAreReadFromRecords(bytes: [UInt8], name: String?) {
    var cursor = ByteCursor(bytes)
    #expect(DomainName(reading: &cursor)?.text == name)
  }

  @Test(arguments: [
    ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
    ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
  ])
  func addressesHaveNames(address: String, name: String) throws {
    #expect(DomainName(reverseOf: try #require(IPAddress(address))).text == name)
  }

  @Test(arguments: [
    ("mail.example.co.uk", "example.co.uk"), ("example.com", "example.com"), ("a.b.example.com", "example.com"),
    ("co.uk", "co.uk"), ("a.b.unknown-tld", "b.unknown-tld"),
  ])
  func organisationsAreFound(name: String, organisation: String) throws {
    let name = try #require(DomainName(name))
    #expect(PublicSuffixes.organisationalDomain(of: name).text == organisation)
    #expect(PublicSuffixes.contains(name) == (name.text == "co.uk"))
  }
}
