import Bytes
import Testing

@Suite struct CodecTests {
  @Test(arguments: [0, 7, 10, 99, 100, 4_294_967_295, Int.max, -1, -120, Int.min])
  func decimalsAreWhatStringWrites(_ value: Int) {
    var bytes: [UInt8] = []
    bytes.append(decimal: value)
    #expect(String(decoding: bytes, as: UTF8.self) == String(value))
    var more: [UInt8] = [0x2D]
    more.append(decimal: UInt64(value.magnitude))
    #expect(String(decoding: more, as: UTF8.self) == "-" + String(value.magnitude))
  }

  @Test func bytesAreAppendedOnceMore() {
    var bytes = Array("abcdef".utf8)
    bytes.append(copyOf: 2..<5)
    bytes.append(copyOf: 9..<9)
    #expect(bytes == Array("abcdefcde".utf8))
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"), ("\0\u{1}\u{7F}", "AAF/"),
  ])
  func base64GoesBothWays(_ plain: String, _ text: String) {
    #expect(Base64.encode(plain.utf8) == Array(text.utf8))
    #expect(Base64.decode(Array(text.utf8)) == Array(plain.utf8))
    #expect(Array(text.utf8).withUnsafeBytes { Base64.decodeLenient($0) } == Array(plain.utf8))
  }

  @Test(arguments: ["Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Zm 8=", "Zm9v\r\n", "=", "Zg==Zg==", "Zm8_", "===="])
  func strictBase64RefusesAnythingElse(_ text: String) {
    #expect(Base64.decode(Array(text.utf8)) == nil)
  }

  @Test(arguments: [
    ("Zm9v\r\nYmFy\r\n", "foobar"), ("Zm9v!Ym Fy", "foobar"), ("Zg==Zg==", "ff"), ("Zm9vY", "foo"), ("Zm9vYg", "foob"),
    ("====", ""),
  ])
  func lenientBase64TakesWhatIsThere(_ text: String, _ plain: String) {
    #expect(Array(text.utf8).withUnsafeBytes { Base64.decodeLenient($0) } == Array(plain.utf8))
  }

  @Test func base64LinesAreCut() {
    let text = Base64.encode([UInt8](repeating: 0, count: 60), lineLength: 76)
    #expect(text.split(separator: 0x0A).map(\.count) == [77, 5])
  }

  @Test(arguments: [
    ("a=3Db", "a=b"), ("a=3db", "a=b"), ("soft=\r\n break", "soft break"), ("soft=  \r\nbreak", "softbreak"),
    ("trailing \t\r\nx", "trailing\r\nx"), ("bad=ZZ=", "bad=ZZ"), ("lf=\nx\ny", "lfx\ny"), ("=", ""), ("=4", "=4"),
    ("=E4=F6", "\u{FFFD}"), ("", ""),
  ])
  func quotedPrintableIsDecoded(_ text: String, _ plain: String) {
    let bytes = Array(text.utf8).withUnsafeBytes { QuotedPrintable.decode($0) }
    if plain == "\u{FFFD}" { #expect(bytes == [0xE4, 0xF6]) } else { #expect(bytes == Array(plain.utf8)) }
  }

  @Test func quotedPrintableComesBackAsItWas() {
    for count in [0, 1, 74, 75, 76, 77, 150, 1000] {
      for filler in ["x", "=", "\u{E4}", "x ", "line\r\n"] {
        let plain = Array(String(repeating: filler, count: count).utf8) + [0x20]
        let text = QuotedPrintable.encode(plain)
        #expect(text.withUnsafeBytes { QuotedPrintable.decode($0) } == plain)
        #expect(text.split(separator: 0x0A).allSatisfy { $0.count <= 77 })
        #expect(text.allSatisfy { $0 < 0x7F })
      }
    }
  }

  @Test(arguments: [
    ("INBOX", "INBOX"), ("&", "&-"), ("a&b", "a&-b"), ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("Entwürfe", "Entw&APw-rfe"), ("😀", "&2D3eAA-"), ("", ""), ("Ã", "&AMM-"),
  ])
  func modifiedUTF7GoesBothWays(_ name: String, _ text: String) {
    #expect(ModifiedUTF7.encode(name) == Array(text.utf8))
    #expect(ModifiedUTF7.decode(Array(text.utf8)) == name)
  }

  @Test(arguments: [
    "&U,BTFw-&ZeVnLIqe-", "&", "&AMM", "&AGE-", "&2D0-", "&AMN-", "&A-", "&AMM=-", "\u{E4}", "a\u{7}", "&AAA-", "&AH8-",
  ])
  func modifiedUTF7IsStrict(_ text: String) {
    #expect(ModifiedUTF7.decode(Array(text.utf8)) == nil)
  }

  @Test func crc32cMatchesItsSpecification() {
    // RFC 3720 appendix B.4, and the check value of the algorithm.
    func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }
    #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(crc([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(crc(Array(0..<32)) == 0x46DD_794E)
    #expect(crc(Array("123456789".utf8)) == 0xE306_9283)
    #expect(crc([]) == 0)
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let whole = crc(bytes)
    for cut in [0, 1, 7, 8, 9, 500, 999, 1000] {
      let first = Array(bytes[..<cut]).withUnsafeBytes { crc32c($0) }
      #expect(Array(bytes[cut...]).withUnsafeBytes { crc32c($0, seed: first) } == whole)
    }
  }

  @Test func bytesAreFound() {
    let text = Array("one two two three".utf8)
    text.withUnsafeBytes { bytes in
      #expect(bytes.firstIndex(of: 0x74) == 4)
      #expect(bytes.firstIndex(of: 0x74, from: 5) == 8)
      #expect(bytes.firstIndex(of: 0x74, in: 5..<8) == nil)
      #expect(bytes.firstIndex(of: 0x74, from: 99) == nil)
      #expect(bytes.countOccurrences(of: 0x74, in: 0..<bytes.count) == 3)
      #expect(Array("two".utf8).withUnsafeBytes { bytes.firstIndex(of: $0, from: 5) } == 8)
      #expect(Array("four".utf8).withUnsafeBytes { bytes.firstIndex(of: $0) } == nil)
      #expect([UInt8]().withUnsafeBytes { bytes.firstIndex(of: $0) } == 0)
      #expect(bytes.equals("TWO", in: 4..<7))
      #expect(!bytes.equals("TWO", in: 15..<18))
    }
    #expect(text.contains(bytes: Array("two t".utf8)))
    #expect("Received".utf8.equalsIgnoringASCIICase("rECEIVED"))
    #expect(!"Received".utf8.equalsIgnoringASCIICase("Receive"))
  }

  @Test func byteClassesFollowTheGrammar() {
    func members(_ byteClass: ByteClass) -> String {
      String(
        decoding: (UInt8(0x20)..<0x7F).filter { $0.isIn(byteClass) }.filter { !$0.isIn([.alpha, .digit]) },
        as: UTF8.self)
    }
    #expect(members(.atext) == "!#$%&'*+-/=?^_`{|}~")
    #expect(members(.atomChar) == "!#$&'+,-./:;<=>?@[^_`|}~")
    #expect(members(.astringChar) == "!#$&'+,-./:;<=>?@[]^_`|}~")
    #expect(members(.token) == "!#$%&'*+-.^_`{|}~")
    #expect(members(.listChar) == "!#$%&'*+,-./:;<=>?@[]^_`|}~")
    #expect((0...255).filter { UInt8($0).isIn(.ctl) }.count == 33)
    #expect((0...255).filter { UInt8($0).isIn(.hexdig) }.count == 22)
  }
}
