import SMTP
import Testing

struct DataCase: CustomTestStringConvertible, Sendable {
  var wire: String
  /// What is given out; nil where the message must be refused.
  var message: String?
  /// What is left on the wire.
  var rest = ""
  var isFinished = true
  var testDescription: String { wire.debugDescription }
}

private let dataCases: [DataCase] = [
  DataCase(wire: ".\r\n", message: ""),
  DataCase(wire: ".\r\nQUIT\r\n", message: "", rest: "QUIT\r\n"),
  DataCase(wire: "a\r\n.\r\nRSET\r\n", message: "a\r\n", rest: "RSET\r\n"),
  DataCase(wire: "\r\n.\r\n", message: "\r\n"),
  DataCase(wire: "a\r\n\r\nb\r\n.\r\n", message: "a\r\n\r\nb\r\n"),
  // dots
  DataCase(wire: "..\r\n.\r\n", message: ".\r\n"),
  DataCase(wire: "...\r\n.\r\n", message: "..\r\n"),
  DataCase(wire: ".a\r\n.\r\n", message: "a\r\n"),
  DataCase(wire: "a\r\n..b\r\n.c\r\nd.\r\n.\r\n", message: "a\r\n.b\r\nc\r\nd.\r\n"),
  DataCase(wire: "a.\r\n.\r\n", message: "a.\r\n"),
  DataCase(wire: ". \r\n.\r\n", message: " \r\n"),
  // not the end
  DataCase(wire: "a\r\n.\r", message: "a\r\n", isFinished: false),
  DataCase(wire: "a\r\n.", message: "a\r\n", isFinished: false),
  DataCase(wire: "a", message: "a", isFinished: false),
  DataCase(wire: "", message: "", isFinished: false),
  // smuggling: none of these ends the data before CRLF . CRLF does
  DataCase(wire: "a\n.\n.\r\n", message: nil, isFinished: false),
  DataCase(wire: "a\n.\r\n\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r\n.\nMAIL\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r.\r\nb\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r\n.\rMAIL\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r.\r\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "a\r\n.\r\r\n.\r\nX", message: nil, rest: "X"),
  DataCase(wire: "\n.\r\nb\r\n.\r\n", message: nil),
  DataCase(wire: "\r.\r\nb\r\n.\r\n", message: nil),
  DataCase(wire: ".\n\r\n.\r\n", message: nil),
  DataCase(wire: "a\0.\r\n.\r\n", message: "a\0.\r\n"),
]

private func decode(_ chunks: [ArraySlice<UInt8>]) -> (message: [UInt8], used: Int, decoder: DataDecoder) {
  var decoder = DataDecoder()
  var output: [UInt8] = []
  var used = 0
  for chunk in chunks where !decoder.isFinished {
    used += chunk.withUnsafeBytes { decoder.decode($0, into: &output) }
  }
  return (output, used, decoder)
}

/// What RFC 5321 says, octet by octet and slowly.
private func reference(_ wire: [UInt8]) -> (message: [UInt8]?, used: Int, isFinished: Bool) {
  var end = wire.count
  var isFinished = false
  let padded = [0x0D, 0x0A] + wire
  for index in padded.indices where index + 5 <= padded.count {
    if Array(padded[index..<index + 5]) == [0x0D, 0x0A, 0x2E, 0x0D, 0x0A] {
      end = index + 3
      isFinished = true
      break
    }
  }
  let used = Array(wire[..<end])
  for index in used.indices {
    if used[index] == 0x0A, index == 0 || used[index - 1] != 0x0D { return (nil, end, isFinished) }
    if used[index] == 0x0D, index + 1 < used.count, used[index + 1] != 0x0A { return (nil, end, isFinished) }
  }
  var message: [UInt8] = []
  var atLineStart = true
  for (index, byte) in used.enumerated() {
    if atLineStart, byte == 0x2E {
      atLineStart = false
      continue
    }
    message.append(byte)
    atLineStart = byte == 0x0A && index > 0
  }
  if isFinished { message.removeLast(2) }
  return (message, end, isFinished)
}

@Suite struct DataDecoderTests {
  @Test(arguments: dataCases) func `the data is the same wherever it is cut`(_ row: DataCase) {
    let wire = Array(row.wire.utf8)
    for first in 0...wire.count {
      for second in first...wire.count {
        let result = decode([wire[..<first], wire[first..<second], wire[second...]])
        #expect(result.decoder.isFinished == row.isFinished)
        #expect(result.decoder.hasBareLineEnd == (row.message == nil))
        if let message = row.message { #expect(result.message == Array(message.utf8)) }
        if row.isFinished { #expect(Array(wire[result.used...]) == Array(row.rest.utf8)) }
      }
    }
  }

  @Test func `random octets are read as the RFC says`() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("\r\n.a\r\n.".utf8)
    for _ in 0..<50_000 {
      let wire = (0..<Int.random(in: 0...14, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
      let cut = Int.random(in: 0...wire.count, using: &random)
      let result = decode([wire[..<cut], wire[cut...]])
      let expected = reference(wire)
      #expect(result.decoder.isFinished == expected.isFinished, "\(wire)")
      guard expected.isFinished else { continue }
      #expect(result.used == expected.used, "\(wire)")
      #expect(result.decoder.hasBareLineEnd == (expected.message == nil), "\(wire)")
      if let message = expected.message { #expect(result.message == message, "\(wire)") }
    }
  }

  @Test(arguments: [
    ("", false), ("a\r\nb", false), ("\r\n\r\n", false), ("a\n", true), ("a\r", true), ("\ra", true), ("a\r\r\n", true),
    ("a\r\n\nb", true), ("\n", true), ("long line\r\nand another\r\n", false),
  ])
  func `line ends of chunks are watched across their seams`(_ text: String, _ isBare: Bool) {
    let bytes = Array(text.utf8)
    for cut in 0...bytes.count {
      var scanner = LineEndScanner()
      bytes[..<cut].withUnsafeBytes { scanner.scan($0) }
      bytes[cut...].withUnsafeBytes { scanner.scan($0) }
      #expect(scanner.hasBareLineEnd == isBare)
    }
  }
}
