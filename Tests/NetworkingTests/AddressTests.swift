import Testing

@testable import Networking

@Suite struct AddressTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1", "[192.0.2.1]"),
    ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[IPv6:2001:db8::1]"),
    ("::ffff:192.0.2.7", "192.0.2.7", "[192.0.2.7]"),
    ("::1", "::1", "[IPv6:::1]"),
    ("1.2.3", nil, nil), ("256.1.1.1", nil, nil), ("[::1]", nil, nil), ("fe80::1%eth0", nil, nil), ("", nil, nil),
    ("1.2.3.4 ", nil, nil), ("1.2.3.4\u{0}", nil, nil),
  ] as [(String, String?, String?)])
  func addresses(text: String, canonical: String?, literal: String?) {
    let address = IPAddress(text)
    #expect(address?.description == canonical)
    #expect(address?.addressLiteral == literal)
  }

  @Test(arguments: [
    ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false), ("192.0.2.9/23", "192.0.3.1", true),
    ("10.0.0.0/9", "10.127.0.1", true), ("10.0.0.0/9", "10.128.0.1", false), ("0.0.0.0/0", "8.8.8.8", true),
    ("0.0.0.0/0", "::2", false), ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::", false),
    ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("1.2.3.0/33", "1.2.3.0", nil),
    ("1.2.3.0/", "1.2.3.0", nil), ("1.2.3.0/-1", "1.2.3.0", nil), ("1.2.3.0/+8", "1.2.3.0", nil),
    ("/8", "1.2.3.0", nil), ("", "1.2.3.0", nil),
  ] as [(String, String, Bool?)])
  func networks(range: String, text: String, isInside: Bool?) throws {
    let address = try #require(IPAddress(text))
    #expect(IPNetwork(range)?.contains(address) == isInside)
  }

  @Test func loopbackAndLimits() throws {
    #expect(try #require(IPAddress("127.8.9.1")).isLoopback)
    #expect(try #require(IPAddress("::1")).isLoopback)
    #expect(try #require(IPAddress("::ffff:127.0.0.1")).isLoopback)
    #expect(try !#require(IPAddress("::2")).isLoopback)
    #expect(PeerAddress.local.isLoopback)
    #expect(IPAddress("2001:db8:1:2:3:4:5:6")?.limitKey == IPAddress("2001:db8:1:2::"))
    #expect(IPAddress("192.0.2.1")?.limitKey == IPAddress("192.0.2.1"))
    let ip = try #require(IPAddress("2001:db8::1"))
    #expect(PeerAddress.internet(ip, port: 25).description == "[2001:db8::1]:25")
  }
}
