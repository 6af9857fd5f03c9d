import MessageFormat
import Testing

@testable import DKIM

private func canonical(_ pieces: [[UInt8]], _ form: Canonicalization) -> [UInt8] {
  var canonicalizer = BodyCanonicalizer(form)
  var output: [UInt8] = []
  for piece in pieces { piece.withUnsafeBytes { canonicalizer.update($0) { output.append(contentsOf: $0) } } }
  canonicalizer.finish { output.append(contentsOf: $0) }
  return output
}

private func canonicalHeader(_ text: String, _ form: Canonicalization) -> String {
  var output: [UInt8] = []
  Array(text.utf8).withUnsafeBytes { bytes in
    for field in HeaderFields(bytes) { form.append(field, of: bytes, to: &output) }
  }
  return String(decoding: output, as: UTF8.self)
}

/// RFC 6376 §3.4.
@Suite struct CanonicalizationTests {
  /// Body, simple, relaxed.
  static let bodies: [(String, String, String)] = [
    // §3.4.5
    (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"),
    // §3.4.3, §3.4.4: nothing, and nothing but empty lines
    ("", "\r\n", ""),
    ("\r\n", "\r\n", ""),
    ("\r\n\r\n\r\n", "\r\n", ""),
    (" \t\r\n\r\n \r\n", " \t\r\n\r\n \r\n", ""),
    (" ", " \r\n", ""),
    // a last line without its end
    ("a", "a\r\n", "a\r\n"),
    ("a ", "a \r\n", "a\r\n"),
    ("a\r\n b", "a\r\n b\r\n", "a\r\n b\r\n"),
    // empty lines inside
    ("\r\n\r\na\r\n\r\nb\r\n\r\n", "\r\n\r\na\r\n\r\nb\r\n", "\r\n\r\na\r\n\r\nb\r\n"),
    ("a\r\n \r\nb", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"),
    ("a\r\n \t \r\n", "a\r\n \t \r\n", "a\r\n"),
    // white space
    ("\t\ta\t \tb  \r\n", "\t\ta\t \tb  \r\n", " a b\r\n"),
    ("a\u{B}b\u{C}c\u{0}\r\n", "a\u{B}b\u{C}c\u{0}\r\n", "a\u{B}b\u{C}c\u{0}\r\n"),
    // a CR or LF of its own is an octet as any other
    ("a\nb\n", "a\nb\n\r\n", "a\nb\n\r\n"),
    ("a\rb\r", "a\rb\r\r\n", "a\rb\r\r\n"),
    ("a\r\r\n", "a\r\r\n", "a\r\r\n"),
    ("a \r b\r\n", "a \r b\r\n", "a \r b\r\n"),
    ("\n\r\n\r\n", "\n\r\n", "\n\r\n"),
    ("a\r\n\r", "a\r\n\r\r\n", "a\r\n\r\r\n"),
    ("a \r\n\r \r\n", "a \r\n\r \r\n", "a\r\n\r\r\n"),
  ]

  @Test(arguments: bodies) func bodiesAreBroughtIntoForm(body: String, simple: String, relaxed: String) {
    for (form, expected) in [(Canonicalization.simple, simple), (.relaxed, relaxed)] {
      let bytes = Array(body.utf8)
      #expect(String(decoding: canonical([bytes], form), as: UTF8.self) == expected)
      #expect(canonical(bytes.map { [$0] }, form) == Array(expected.utf8), "octet by octet, \(form)")
      for cut in bytes.indices {
        #expect(canonical([Array(bytes[..<cut]), Array(bytes[cut...])], form) == Array(expected.utf8), "cut at \(cut)")
      }
    }
  }

  @Test func longRunsDoNotFillAnything() {
    let lines = Array(repeating: [0x0D, 0x0A] as [UInt8], count: 5_000).flatMap { $0 }
    let word = [UInt8](repeating: 0x61, count: 20_000)
    let spaces = [UInt8](repeating: 0x20, count: 20_000)
    for form in Canonicalization.allCases {
      #expect(canonical([word, lines, word, lines], form) == word + lines + word + [0x0D, 0x0A])
      #expect(canonical([lines + word + lines + lines], form) == lines + word + [0x0D, 0x0A])
    }
    #expect(canonical([word + spaces, spaces + word, spaces], .relaxed) == word + [0x20] + word + [0x0D, 0x0A])
    let words = Array(repeating: Array("one two\r\n".utf8), count: 4_000).flatMap { $0 }
    #expect(canonical([words], .relaxed) == words)
  }

  /// §3.4.5, and what real headers have.
  @Test(arguments: [
    ("A: X\r\nB : Y\t\r\n\tZ  \r\n", "A: X\r\nB : Y\t\r\n\tZ  \r\n", "a:X\r\nb:Y Z\r\n"),
    ("SUBJect:\r\n", "SUBJect:\r\n", "subject:\r\n"),
    ("Subject: \t \r\n  \r\n", "Subject: \t \r\n  \r\n", "subject:\r\n"),
    ("a:b", "a:b\r\n", "a:b\r\n"),
    ("a:\r\n b\r\n", "a:\r\n b\r\n", "a:b\r\n"),
    ("a: b\rc\r\n", "a: b\rc\r\n", "a:b\rc\r\n"),
    ("a: b\n\tc\n", "a: b\n\tc\r\n", "a:b c\r\n"),
    ("a : grüße : b\r\n", "a : grüße : b\r\n", "a:grüße : b\r\n"),
  ]) func headersAreBroughtIntoForm(header: String, simple: String, relaxed: String) {
    #expect(canonicalHeader(header, .simple) == simple)
    #expect(canonicalHeader(header, .relaxed) == relaxed)
  }

  /// §3.5 `l=`.
  @Test func aLimitCountsCanonicalOctets() {
    func hash(_ text: String, limit: Int?) -> [UInt8] {
      let hash = BodyHash(.relaxed, limit: limit)
      for byte in text.utf8 { [byte].withUnsafeBytes { hash.update($0) } }
      return hash.finish()
    }
    #expect(hash("a  b\r\nc\r\n", limit: 3) == hash("a b", limit: 3))
    #expect(hash("a  b\r\nc\r\n", limit: 5) == hash("a b\r\n", limit: nil))
    #expect(hash("a  b\r\nc\r\n", limit: 0) == hash("", limit: nil))
    #expect(hash("a\r\n", limit: 50) == hash("a\r\n", limit: nil))
  }

  /// §5.4.2: from the lowest up, and nothing where none is left.
  @Test func fieldsAreTakenFromTheLowestUp() {
    let header = SignedHeader(Array("A: 1\r\nB: 2\r\na: 3\r\nno field\r\nC: 4\r\n\r\nA: body\r\n".utf8))
    func covered(_ names: String, own: Int? = nil) -> String {
      let names = names.split(separator: " ").map { Array($0.utf8) }
      let octets = header.covered(by: names, .relaxed, signature: Array("S: b=".utf8), own: own)
      return String(decoding: octets, as: UTF8.self)
    }
    #expect(covered("a b a a") == "a:3\r\nb:2\r\na:1\r\ns:b=")
    #expect(covered("x c") == "c:4\r\ns:b=")
    #expect(covered("a a", own: 2) == "a:1\r\ns:b=")
  }
}
