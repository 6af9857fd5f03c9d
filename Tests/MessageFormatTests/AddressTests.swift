import MessageFormat
import Testing

@Suite struct AddressTests {
  @Test(arguments: [
    ("Example.ORG", "example.org"), ("example.org.", "example.org"), ("localhost", "localhost"),
    ("BÜCHER.example", "bücher.example"), ("bu\u{308}cher.example", "bücher.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("[192.0.2.1]", "[192.0.2.1]"), ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"), ("a_b.example", "a_b.example"),
  ])
  func domainsAreCanonical(_ text: String, _ canonical: String) {
    #expect(Domain(text)?.text == canonical)
  }

  @Test(arguments: [
    "", ".", "a..b", ".a", "-a.b", "a-.b", "a b", "a@b", "[", "[]", "[192.0.2]", "[IPv6:zz]", "[foo:bar]", "a\r\nb",
    "a\0",
    "exa\u{200B}mple", "a\u{3000}b", String(repeating: "a", count: 64) + ".b",
    String(repeating: "a.", count: 130) + "b",
  ])
  func whatIsNoDomainIsRefused(_ text: String) {
    #expect(Domain(text) == nil)
  }

  @Test(arguments: [
    ("Joe.Bloggs@Example.ORG", "Joe.Bloggs", "Joe.Bloggs@example.org"),
    ("\"joe\"@example.org", "joe", "joe@example.org"),
    ("\"joe bloggs\"@example.org", "joe bloggs", "\"joe bloggs\"@example.org"),
    ("\"a\\\"b\\\\c\"@example.org", "a\"b\\c", "\"a\\\"b\\\\c\"@example.org"),
    ("\"a@b\"@example.org", "a@b", "\"a@b\"@example.org"), ("jøran@example.org", "jøran", "jøran@example.org"),
    ("a+b=c/d@[192.0.2.1]", "a+b=c/d", "a+b=c/d@[192.0.2.1]"), ("\"a..b\"@x", "a..b", "\"a..b\"@x"),
  ])
  func addressesAreReadAndWritten(_ text: String, _ local: String, _ written: String) throws {
    let address = try #require(EmailAddress(text))
    #expect(address.localPart == local)
    #expect(address.description == written)
    #expect(EmailAddress(written) == address)
  }

  @Test(arguments: [
    "", "@", "a@", "@b", "a", "a b@c", "a..b@c", ".a@c", "a.@c", "\"\"@c", "\"a@c", "a\"b@c", "\"a\"b\"@c", "a<b@c",
    "a\r\nb@c",
    "\"a\\\"@c", "\"a\r\n\"@c", "a,b@c",
  ])
  func whatIsNoAddressIsRefused(_ text: String) {
    #expect(EmailAddress(text) == nil)
  }

  @Test func lookupIgnoresCaseAndComposition() throws {
    let composed = try #require(EmailAddress("JÉ@Example.org"))
    let decomposed = try #require(EmailAddress("je\u{301}@example.ORG"))
    #expect(composed.lookupKey == decomposed.lookupKey)
    #expect(composed.lookupKey == "jé@example.org")
    #expect(composed.needsSMTPUTF8)
    #expect(EmailAddress("a@b")?.needsSMTPUTF8 == false)
    #expect(EmailAddress("a@bücher.example")?.needsSMTPUTF8 == true)
  }

  @Test func receivedFieldCannotBeBrokenByThePeer() throws {
    let field = ReceivedField(
      heloName: "evil)\r\nX: y (", peer: "[192.0.2.1]", by: "mx.example.org", with: "ESMTPS", id: "abc",
      recipient: EmailAddress("a@example.org"), tls: "TLSv1.3 TLS_AES_256_GCM_SHA384",
      date: DateTime(timestamp: Timestamp(seconds: 837_596_665), offsetMinutes: -420))
    #expect(
      String(decoding: field.encoded(), as: UTF8.self) == """
        Received: from evil???X:?y?? ([192.0.2.1])\r
        \tby mx.example.org with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)\r
        \tid abc\r
        \tfor <a@example.org>;\r
        \tWed, 17 Jul 1996 02:44:25 -0700\r\n
        """)
  }

  /// Field body, then each address as `name|route|mailbox|host` with `-` for nil.
  @Test(arguments: [
    ("joe@example.org", "-|-|joe|example.org"),
    ("Joe Bloggs <joe@example.org>", "Joe Bloggs|-|joe|example.org"),
    ("\"Bloggs, Joe \\\"J\\\"\" <joe@example.org>, a@b", "Bloggs, Joe \"J\"|-|joe|example.org; -|-|a|b"),
    ("joe@example.org (Joe (the) Bloggs)", "Joe (the) Bloggs|-|joe|example.org"),
    ("Joe Q. Public <john.q.public@example.com>", "Joe Q. Public|-|john.q.public|example.com"),
    ("<boss@nil.test>", "-|-|boss|nil.test"),
    ("Undisclosed recipients:;", "-|-|Undisclosed recipients|-; -|-|-|-"),
    ("A Group:Ed <a@a>,joe@b, John <c@c>;, z@z", "-|-|A Group|-; Ed|-|a|a; -|-|joe|b; John|-|c|c; -|-|-|-; -|-|z|z"),
    ("Group: a@b", "-|-|Group|-; -|-|a|b; -|-|-|-"),
    ("<@a.test,@b.test:joe@c.test>", "-|@a.test,@b.test|joe|c.test"),
    ("=?utf-8?Q?J=C3=B8ran?= <j@x>", "=?utf-8?Q?J=C3=B8ran?=|-|j|x"),
    ("joe", "-|-|joe|"), ("", ""), (",,,", ""), ("(only a comment)", ""), ("(unclosed", ""),
    ("\"unclosed", "-|-|unclosed|"),
    ("Joe <joe@example.org", "Joe|-|joe|example.org"), ("Joe <joe@x, b@y", "Joe|-|joe|x; -|-|b|y"),
    ("\"joe bloggs\"@example.org", "-|-|joe bloggs|example.org"), ("joe@[192.0.2.1]", "-|-|joe|[192.0.2.1]"),
    ("joe@example.org <joe@example.org>", "joe@example.org|-|joe|example.org"),
    ("Joe\r\n Bloggs <joe@example\r\n .org>", "Joe Bloggs|-|joe|example.org"), ("<>", "-|-||"),
    ("\"\" <a@b>", "-|-|a|b"),
    ("\"Joe\r\n\tBloggs\" <a@b>", "Joe Bloggs|-|a|b"),
    ("Joe <joe@x> trailing, b@y", "Joe|-|joe|x; -|-|b|y"), ("a@b c@d", "-|-|a|b; -|-|c|d"),
    (">)]@", "-|-|]|"), ("J\u{F8}ran <j@x>", "J\u{F8}ran|-|j|x"),
  ])
  func addressListsAreReadAsMailHasThem(_ field: String, _ expected: String) {
    func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    let found = AddressListParser.parse(Array(field.utf8)).map {
      "\(text($0.name))|\(text($0.route))|\(text($0.mailbox))|\(text($0.host))"
    }
    #expect(found.joined(separator: "; ") == expected)
  }
}
