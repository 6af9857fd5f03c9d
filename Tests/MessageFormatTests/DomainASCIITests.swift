import MessageFormat
import Testing

@Suite struct DomainASCIITests {
  /// RFC 3492 §7.1 has the first ones, in lower case.
  @Test(arguments: [
    ("example.org", "example.org"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("почемужеонинеговорятпорусски.example", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l.example"),
    ("他们为什么不说中文.example", "xn--ihqwcrb4cv8a8dqg056pqjye.example"),
    ("3年b組金八先生.example", "xn--3b-ww4c5e180e575a65lsy2b.example"),
    ("straße.example", "xn--strae-oqa.example"),
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
  ]) func labelsAreWrittenForDNS(name: String, expected: String) throws {
    #expect(try #require(Domain(name)).asciiText == expected)
  }

  @Test func whatDNSCannotHaveHasNoName() throws {
    #expect(try #require(Domain("[192.0.2.1]")).asciiText == nil)
    let long = String(repeating: "ü", count: 31)
    #expect(try #require(Domain(long + ".example")).asciiText != nil)
    let scattered = String((0..<20).map { Character(Unicode.Scalar(0x4E00 + $0 * 997)!) })
    #expect(try #require(Domain(scattered + ".example")).asciiText == nil)
    let labels = Array(repeating: "ü", count: 60).joined(separator: ".")
    #expect(try #require(Domain(labels)).asciiText == nil)
  }
}
