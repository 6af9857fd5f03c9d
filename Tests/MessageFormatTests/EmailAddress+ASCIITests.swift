import MessageFormat
import Testing

@Suite struct AddressASCIITests {
  /// Samples of RFC 3492 §7.1, lower-cased as names are, and names that are registered.
  @Test(arguments: [
    ("example.test", "example.test"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("münchen.de", "xn--mnchen-3ya.de"),
    ("faß.de", "xn--fa-hia.de"),
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
    ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
    ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
    ("ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn"),
  ]) func aUnicodeNameHasAnASCIIForm(_ text: String, _ ascii: String) throws {
    #expect(try #require(Domain(text)).asciiText == ascii)
  }

  @Test func whatIsTooLongInASCIIHasNone() throws {
    #expect(try #require(Domain("ก一가აあ龥ꀀ㐀ሀ힣ᐁⰰꔀཀកကऄḁⴰꥠ")).asciiText == nil)
  }

  @Test func onlyADomainIsRewritten() throws {
    #expect(try #require(EmailAddress("a@bücher.test")).ascii?.description == "a@xn--bcher-kva.test")
    #expect(try #require(EmailAddress("ä@example.test")).ascii == nil)
  }
}
