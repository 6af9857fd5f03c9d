import Testing

@testable import SMTPServer

struct HeaderCase: CustomTestStringConvertible, Sendable {
  var message: String
  /// What the scanner takes for the header.
  var header: String
  var endsWithEmptyLine = true
  var received = 0
  var from: [String] = []
  var bcc: [String] = []
  var testDescription: String { message.debugDescription }
}

private let cases: [HeaderCase] = [
  HeaderCase(message: "", header: "", endsWithEmptyLine: false),
  HeaderCase(message: "\r\nbody\r\n", header: ""),
  HeaderCase(message: "A: b\r\n\r\nbody\r\n", header: "A: b\r\n"),
  HeaderCase(message: "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", header: "A: b\r\n c\r\n\td\r\nE: f\r\n"),
  HeaderCase(message: "hello\r\nworld\r\n", header: "", endsWithEmptyLine: false),
  HeaderCase(message: " hello\r\n", header: "", endsWithEmptyLine: false),
  HeaderCase(message: "A: b\r\nhello world\r\n", header: "A: b\r\n", endsWithEmptyLine: false),
  HeaderCase(message: "A: b", header: "A: b", endsWithEmptyLine: false),
  HeaderCase(
    message: "Received: x\r\n y\r\nRECEIVED : z\r\nReceivedX: n\r\n\r\nReceived: body\r\n",
    header: "Received: x\r\n y\r\nRECEIVED : z\r\nReceivedX: n\r\n", received: 2),
  HeaderCase(
    message: "Bcc: a\r\n b\r\nFrom: c\r\nbcc: d\r\n\r\n", header: "Bcc: a\r\n b\r\nFrom: c\r\nbcc: d\r\n",
    from: ["From: c\r\n"], bcc: ["Bcc: a\r\n b\r\n", "bcc: d\r\n"]),
  HeaderCase(
    message: "Resent-BCC : a\r\n\tb\r\nResent-Bcc-X: c\r\n\r\nBcc: d\r\n",
    header: "Resent-BCC : a\r\n\tb\r\nResent-Bcc-X: c\r\n", bcc: ["Resent-BCC : a\r\n\tb\r\n"]),
  HeaderCase(message: "From: a", header: "From: a", endsWithEmptyLine: false, from: ["From: a"]),
]

@Suite struct HeaderScannerTests {
  @Test(arguments: cases) func `the header is found wherever the message is cut`(_ row: HeaderCase) {
    let bytes = Array(row.message.utf8)
    for cut in 0...bytes.count {
      var scanner = HeaderScanner()
      scanner.scan(Array(bytes[..<cut]), isWhole: false)
      scanner.scan(bytes, isWhole: true)
      func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
      #expect(text(0..<scanner.end) == row.header)
      #expect(scanner.endsWithEmptyLine == row.endsWithEmptyLine)
      #expect(scanner.receivedCount == row.received)
      #expect(scanner.from.map(text) == row.from)
      #expect(scanner.bcc.map(text) == row.bcc)
    }
  }
}
