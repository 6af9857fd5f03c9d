import TestSupport
import Testing

/// A pattern, a line, and what the match captures; nil where it must not match.
private let patterns: [(pattern: String, line: String, captured: [String: String]?)] = [
  ("a1 OK done", "a1 OK done", [:]),
  ("a1 OK", "a1 OK done", nil),
  ("a1 OK ...", "a1 OK done", [:]),
  ("a1 OK ...", "a1 OK", [:]),
  ("a1 OK ...", "a1 OKAY", nil),
  ("...", "", [:]),
  ("* ... EXISTS", "* 12 EXISTS", [:]),
  ("* OK [COPYUID <validity> 2 <uid>] ...", "* OK [COPYUID 17 2 9] moved", ["validity": "17", "uid": "9"]),
  ("<first> <first>", "x x", ["first": "x"]),
  ("<first> <first>", "x y", nil),
  ("MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>", [:]),
  ("<CR><LF>", "<CR><LF>", [:]),
  ("(UID <uid>)", "(UID 5)", ["uid": "5"]),
  ("<a>...", "xyz", ["a": "xyz"]),
]

@Test(arguments: patterns.indices) func `a pattern matches a line and captures words`(index: Int) {
  let (pattern, line, wanted) = patterns[index]
  var captured: [String: [UInt8]] = [:]
  let matches = TranscriptPattern(pattern).matches(Array(line.utf8), &captured)
  #expect(matches == (wanted != nil))
  #expect(captured.mapValues { String(decoding: $0, as: UTF8.self) } == wanted ?? [:])
}

/// Transcripts that cannot be read, and the line and words of the complaint.
private let mistakes: [(text: String, line: Int, words: String)] = [
  ("C: a\nhello", 2, "not understood"),
  ("| block", 1, "block line"),
  ("C-raw: \\q", 1, "bad escape"),
  ("advance soon", 1, "not a time"),
  ("C-repeat: many x", 1, "count"),
  ("C-data: text", 1, "takes a block"),
]

@Test(arguments: mistakes.indices) func `a mistake in a transcript is reported with its line`(index: Int) {
  let (text, line, words) = mistakes[index]
  #expect { try TranscriptFile(text, path: "x.pop3") } throws: { error in
    guard let error = error as? TranscriptError else { return false }
    return error.line == line && error.problem.contains(words)
  }
}

@Test func `blocks, names and literal sizes are read`() throws {
  let text = """
    # comment
    given alice has this message in INBOX
    | Subject: x
    |
    A: C: a1 APPEND INBOX {#}
    A: S: + ...
    A: C-literal:
    | one
    | two
    A: C-data:
    | .dot
    advance 31 minutes
    """
  let steps = try TranscriptFile(text, path: "x.imap").steps
  #expect(steps.map(\.connection) == ["", "A", "A", "A", "A", ""])
  #expect(steps.map(\.line) == [2, 5, 6, 7, 10, 12])
  guard case .given(_, ["Subject: x", ""]) = steps[0].action, case .sendLine("a1 APPEND INBOX {10}") = steps[1].action,
    case .send(let literal) = steps[3].action, case .send(let data) = steps[4].action,
    case .advance(.seconds(1_860)) = steps[5].action
  else {
    Issue.record("steps are \(steps)")
    return
  }
  #expect(literal == Array("one\r\ntwo\r\n".utf8))
  #expect(data == Array("..dot\r\n.\r\n".utf8))
}
