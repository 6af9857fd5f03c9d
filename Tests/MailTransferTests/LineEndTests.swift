import Testing

@testable import MailTransfer

struct LineEndTests {
  @Test(
    arguments: [
      ("a\nb\r\nc\rd\n", "a\r\nb\r\nc\rd\r\n"), ("", ""), ("\n", "\r\n"), ("\r\n\r\n", "\r\n\r\n"), ("\r", "\r"),
    ])
  func `line ends become CRLF, whatever pieces they come in`(text: String, expected: String) {
    for size in 1...4 {
      var ends = WireLineEnds()
      #expect(converted(text, size) { ends.convert($0, into: &$1) } == expected)
    }
  }

  @Test(
    arguments: [
      ("a\r\nb\nc\rd\r\r\n", "a\nb\nc\rd\r\n"), ("", ""), ("\r\n", "\n"), ("\r", "\r"), ("x\r", "x\r"),
      ("\r\r", "\r\r"),
    ])
  func `and LF in files`(text: String, expected: String) {
    for size in 1...4 {
      var ends = FileLineEnds()
      var result = Array(converted(text, size) { ends.convert($0, into: &$1) }.utf8)
      ends.finish(into: &result)
      #expect(String(decoding: result, as: UTF8.self) == expected)
    }
  }

  private func converted(
    _ text: String, _ size: Int, _ body: (UnsafeRawBufferPointer, inout [UInt8]) -> Void
  ) -> String {
    let bytes = Array(text.utf8)
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      Array(bytes[start..<min(start + size, bytes.count)]).withUnsafeBytes { body($0, &output) }
    }
    return String(decoding: output, as: UTF8.self)
  }
}
