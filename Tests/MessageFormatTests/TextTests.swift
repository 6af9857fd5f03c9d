import Bytes
import MessageFormat
import Testing

@Suite struct TextTests {
  @Test(arguments: [
    ("plain", "plain"), ("", ""), ("=?utf-8?Q?J=C3=B8ran?=", "Jøran"), ("=?UTF-8*en?b?R3LDvMOfZQ==?=", "Grüße"),
    ("=?utf-8?B?R3LDvA==?= =?utf-8?B?w59l?= plain", "Grüße plain"),
    ("=?utf-8?B?R3LD?=\r\n =?utf-8?B?vMOfZQ==?=", "Grüße"),
    ("=?iso-8859-1?q?a_=FCb=3F?=", "a üb?"), ("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"),
    ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
    ("=?gb2312?B?xOO6ww==?=!", "你好!"), ("=?windows-1252?q?=80=93?=", "€“"), ("a =?us-ascii?q?b?= c", "a b c"),
    ("=?us-ascii?q?b?= =?us-ascii?q?c?=", "bc"), ("=?x-unknown?q?stays?=", "=?x-unknown?q?stays?="),
    ("=?utf-8?x?stays?=", "=?utf-8?x?stays?="), ("=?utf-8?q?open", "=?utf-8?q?open"),
    ("=?utf-8?q?raw space?=", "raw space"),
    ("=?", "=?"), ("=?=?=?utf-8?q?x?=", "=?=?x"), ("=?utf-8?q?=4?=", "=4"), ("=?utf-8?q?=41?=", "A"),
    ("=?utf-8?q?a?=b", "ab"),
    ("=?../../x?q?a?=", "=?../../x?q?a?="), ("=?utf-8//IGNORE?q?a?=", "=?utf-8//IGNORE?q?a?="),
  ])
  func encodedWordsAreDecoded(_ field: String, _ text: String) {
    #expect(String(decoding: EncodedWords.decode(Array(field.utf8)), as: UTF8.self) == text)
  }

  @Test(
    arguments: [
      ([0x47, 0x72, 0xFC, 0xDF, 0x65], "iso-8859-1", "Grüße"), ([0x80], "iso-8859-1", "€"),
      ([0xA4], "iso-8859-15", "€"),
      ([0xC3, 0xBC, 0xFF], "utf-8", "ü\u{FFFD}"), ([0xFC], "us-ascii", "ü"), ([0x41, 0xFC], "", "Aü"),
      ([0xFF, 0xFE, 0x41, 0], "utf-16", "A"),
      ([0x82, 0xA0, 0x82], "shift_jis", "あ\u{FFFD}"), ([0x81], "cp1251", "Ѓ"), ([0xA4, 0xAB], "euc-jisx0213", "か"),
      ([0xA4, 0xF7], "euc-jisx0213", "か\u{309A}"), ([0xC3], "no-such-charset", "Ã"),
      ([], "big5", ""),
    ] as [([UInt8], String, String)])
  func charsetsBecomeUTF8(_ bytes: [UInt8], _ charset: String, _ text: String) {
    let found = CharsetDecoder.decode(bytes, charset: Array(charset.utf8))
    #expect(String(decoding: found.text, as: UTF8.self) == text)
    #expect(found.isKnown == (charset != "no-such-charset"))
  }

  @Test func longTextGoesThroughInPieces() {
    let japanese: [UInt8] = [0x93, 0xFA, 0x96, 0x7B, 0x8C, 0xEA]
    let bytes = [[UInt8]](repeating: japanese, count: 10_000).flatMap { $0 }
    guard let decoder = CharsetDecoder(Array("shift_jis".utf8)) else { return #expect(Bool(false)) }
    #expect(decoder.decode(bytes).count == 90_000)
    #expect(decoder.decode(bytes).suffix(9) == ArraySlice("日本語".utf8))
  }

  @Test(arguments: [
    ("HELLO", "hello"), ("Straße", "STRASSE"), ("GRÜSSE", "grüße"), ("Ünï", "u\u{308}ni\u{308}"), ("ΟΔΟΣ", "οδος"),
    ("Привет", "ПРИВЕТ"), ("ＡＢＣ　１", "abc 1"), ("ﬁn", "FIN"), ("a\u{A0}b", "a b"), ("soft\u{AD}hyphen", "softhyphen"),
    ("日本語", "日本語"), ("\u{212B}", "å"),
  ])
  func textIsComparedWithoutCase(_ one: String, _ other: String) {
    #expect(CaseFolding.fold(Array(one.utf8)) == CaseFolding.fold(Array(other.utf8)))
    #expect(CaseFolding.fold(Array("x\(one) y".utf8)) == CaseFolding.fold(Array("X\(other) Y".utf8)))
  }

  @Test func partContentIsDecoded() {
    var part = MessagePart(headerRange: 0..<0, bodyRange: 0..<0)
    func content(_ encoding: String, _ body: String) -> [UInt8]? {
      part.encoding = Array(encoding.utf8)
      return Array(body.utf8).withUnsafeBytes { part.decodedContent($0) }
    }
    #expect(content("8bit", "ü") == Array("ü".utf8))
    #expect(content("BASE64", "Zm9v\r\n") == Array("foo".utf8))
    #expect(content("quoted-printable", "=3D=\r\n") == Array("=".utf8))
    #expect(content("x-uuencode", "x") == nil)
  }
}
