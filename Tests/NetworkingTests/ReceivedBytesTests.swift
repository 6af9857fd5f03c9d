import Testing

@testable import Networking

@Suite struct ReceivedBytesTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var input: String
    var ending = LineEnding.crlf
    var limit = 10
    var lines: [String]
    /// What is left at the end.
    var rest = ""
    var testDescription: String { input.debugDescription }
  }

  /// `!` stands for a line that was too long.
  static let rows: [Row] = [
    Row(input: "a\r\nbc\r\n\r\n", lines: ["a", "bc", ""]),
    Row(input: "a\nb\r\n", lines: ["a\nb"]),
    Row(input: "\n\r\n", lines: ["\n"]),
    Row(input: "a\r\r\n", lines: ["a\r"]),
    Row(input: "a\rb\r\nc", lines: ["a\rb"], rest: "c"),
    Row(input: "a\nb\r\n\nc", ending: .crlfOrLF, lines: ["a", "b", ""], rest: "c"),
    Row(input: "1234567890\r\n12345678901\r\nx\r\n", lines: ["1234567890", "!", "x"]),
    Row(input: "1234567890123456789012345678901234567890\r\nx\r\n", lines: ["!", "x"]),
    Row(input: "123456789012345\nabc\r\nx\r\n", lines: ["!", "x"]),
    Row(input: "123456789012345\nx\n", ending: .crlfOrLF, lines: ["!", "x"]),
    Row(input: "1234567890\r", lines: [], rest: "1234567890\r"),
    Row(input: "12345678901\r\r\r\n\r\n", lines: ["!", ""]),
  ]

  @Test(arguments: rows, [1, 2, 3, 7, 100]) func lines(row: Row, pieceSize: Int) {
    var received = ReceivedBytes()
    var lines: [String] = []
    var input = Array(row.input.utf8)[...]
    while !input.isEmpty {
      received.append(Array(input.prefix(pieceSize)))
      input = input.dropFirst(pieceSize)
      scanning: while true {
        switch received.takeLine(limit: row.limit, ending: row.ending) {
        case .line(let line): lines.append(String(decoding: line, as: UTF8.self))
        case .tooLong: lines.append("!")
        case .needsMore: break scanning
        }
      }
    }
    #expect(lines == row.lines)
    #expect(String(decoding: received.take(upTo: .max), as: UTF8.self) == row.rest)
    #expect(received.isEmpty)
  }

  @Test func anEndlessLineIsNotKept() {
    var received = ReceivedBytes()
    for _ in 0..<1_000 {
      received.append([UInt8](repeating: 0x61, count: 1_000))
      #expect(received.takeLine(limit: 100, ending: .crlf) == .needsMore)
      #expect(received.isEmpty)
    }
    received.append(Array("\r\nnext\r\n".utf8))
    #expect(received.takeLine(limit: 100, ending: .crlf) == .tooLong)
    #expect(received.takeLine(limit: 100, ending: .crlf) == .line(Array("next".utf8)))
  }

  @Test func linesAndOctetsMix() {
    var received = ReceivedBytes()
    received.append(Array("one\r\nABCDEtwo\r\nlast".utf8))
    #expect(received.takeLine(limit: 100, ending: .crlf) == .line(Array("one".utf8)))
    #expect(received.take(upTo: 3) == Array("ABC".utf8))
    #expect(received.take(upTo: -1) == [])
    let first = received.consume { bytes in (consumed: 2, bytes.first) }
    #expect(first == UInt8(ascii: "D"))
    // A line feed that one kind of line passed over counts for the other.
    received.append(Array("x\ny\r\n".utf8))
    #expect(received.takeLine(limit: 100, ending: .crlf) == .line(Array("two".utf8)))
    #expect(received.takeLine(limit: 100, ending: .crlfOrLF) == .line(Array("lastx".utf8)))
    #expect(received.takeLine(limit: 100, ending: .crlf) == .line(Array("y".utf8)))
    received.consume { (consumed: $0.count + 5, ()) }
    #expect(received.takeLine(limit: 100, ending: .crlf) == .needsMore)
  }
}
