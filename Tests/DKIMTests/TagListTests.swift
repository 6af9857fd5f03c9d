import Testing

@testable import DKIM

@Suite struct TagListTests {
  @Test func tagsAreReadAsWritten() throws {
    let tags = try #require(TagList(parsing: Array(" v = 1;a=\r\n\tb c ;x=;\tt_1=é ; ".utf8)))
    #expect(tags["v"].map { Array($0) } == Array("1".utf8))
    #expect(tags["a"].map { Array($0) } == Array("b c".utf8))
    #expect(tags["x"].map { Array($0) } == [])
    #expect(tags["t_1"].map { Array($0) } == Array("é".utf8))
    #expect(tags["V"] == nil)
    #expect(tags.begins(with: "v"))
    let whole = try #require(tags.tag("v")).wholeValue
    #expect(Array(tags.bytes[whole]) == Array(" 1".utf8))
  }

  @Test(arguments: [
    "", " ", ";", "v", "v=1;;a=2", "v=1;v=2", "=1", "1v=1", "v-1=1", "v=1; ;", "v=\u{1}", "v=\u{7F}", "v w=1",
  ]) func whatIsNoTagListIsRefused(text: String) {
    #expect(TagList(parsing: Array(text.utf8)) == nil)
  }

  @Test func tooManyTagsAreRefused() {
    func list(_ count: Int) -> [UInt8] { Array((0..<count).map { "t\($0)=1;" }.joined().utf8) }
    #expect(TagList(parsing: list(DKIMLimits.tags)) != nil)
    #expect(TagList(parsing: list(DKIMLimits.tags + 1)) == nil)
  }

  @Test(arguments: [
    ("YQ==", "a"), ("YQ", "a"), ("Y Q\r\n =\t=", "a"), ("YWI=", "ab"), ("", nil), ("Y", nil), ("Y*Q=", nil),
    ("==", nil),
  ]) func base64MayBeFoldedAndLackItsPadding(text: String, expected: String?) {
    #expect(Array(text.utf8)[...].base64Decoded == expected.map { Array($0.utf8) })
  }
}
