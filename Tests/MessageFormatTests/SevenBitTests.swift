import Bytes
import MessageFormat
import Testing

/// The message in 7 bits, read in pieces of a size.
private func sevenBit(_ message: [UInt8], pieces size: Int = .max) throws(SevenBitError) -> [UInt8] {
  var scan = SevenBitPlan.Scan()
  var position = 0
  func next() -> [UInt8] {
    let piece = Array(message[position...].prefix(size))
    position += piece.count
    return piece
  }
  while position < message.count { try scan.scan(next()) }
  var writer = SevenBitWriter(try scan.finish())
  position = 0
  var output: [UInt8] = []
  while position < message.count { try writer.write(next(), into: &output) }
  try writer.finish(into: &output)
  return output
}

private func lines(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

private struct Conversion: CustomTestStringConvertible, Sendable {
  var name: String
  var before: String
  var after: String
  var testDescription: String { name }
}

private let conversions = [
  Conversion(
    name: "text becomes quoted-printable",
    before: """
      MIME-Version: 1.0
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      Gr\u{FC}\u{DF}e = x\u{20}
      .

      """,
    after: """
      MIME-Version: 1.0
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: quoted-printable

      Gr=C3=BC=C3=9Fe =3D x=20
      .

      """),
  Conversion(
    name: "without MIME, what it is gets said",
    before: "Subject: x\n\nGr\u{FC}\u{DF}e, and a line that is long enough for it to be taken for text.\n",
    after: """
      Subject: x
      MIME-Version: 1.0
      Content-Type: text/plain; charset=unknown-8bit
      Content-Transfer-Encoding: quoted-printable

      Gr=C3=BC=C3=9Fe, and a line that is long enough for it to be taken for text=
      .

      """),
  Conversion(
    name: "parts one by one, multiparts get another label",
    before: """
      MIME-Version: 1.0
      Content-Type: multipart/mixed; boundary=b
      Content-Transfer-Encoding: 8bit

      before
      --b

      plain
      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      \u{FC} and enough besides it
      --b
      Content-Type: application/octet-stream
      Content-Transfer-Encoding: 8bit

      \u{FC}\u{FC}
      --b
      Content-Type: message/rfc822
      Content-Transfer-Encoding: 8bit

      Subject: inner
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8BIT

      \u{FC} and enough besides it

      --b--
      after

      """,
    after: """
      MIME-Version: 1.0
      Content-Type: multipart/mixed; boundary=b
      Content-Transfer-Encoding: 7bit

      before
      --b

      plain
      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: quoted-printable

      =C3=BC and enough besides it
      --b
      Content-Type: application/octet-stream
      Content-Transfer-Encoding: base64

      w7zDvA==

      --b
      Content-Type: message/rfc822
      Content-Transfer-Encoding: 7bit

      Subject: inner
      Content-Type: text/plain; charset=utf-8
      MIME-Version: 1.0
      Content-Transfer-Encoding: quoted-printable

      =C3=BC and enough besides it

      --b--
      after

      """),
  Conversion(
    name: "what is encoded and has raw octets all the same",
    before: """
      Content-Type: multipart/mixed; boundary=b

      --b
      Content-Transfer-Encoding: quoted-printable

      =3D\u{FC}
      --b
      Content-Transfer-Encoding: base64

      YWJj\u{FC}
      --b--

      """,
    after: """
      Content-Type: multipart/mixed; boundary=b

      --b
      Content-Transfer-Encoding: quoted-printable

      =3D=C3=BC
      --b
      Content-Transfer-Encoding: base64

      YWJj??
      --b--

      """),
  Conversion(
    name: "nothing becomes a delimiter that was none",
    before: """
      Content-Type: multipart/mixed; boundary=b

      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      \u{FC} \(String(repeating: "x", count: 68))--b
      \u{FC} \(String(repeating: "x", count: 67))--b
      --b
      Content-Transfer-Encoding: base64

      \u{FC}--b
      --b--

      """,
    after: """
      Content-Type: multipart/mixed; boundary=b

      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: quoted-printable

      =C3=BC \(String(repeating: "x", count: 68))=
      =2D-b
      =C3=BC \(String(repeating: "x", count: 67))-=
      =2Db
      --b
      Content-Transfer-Encoding: base64

      ??--b
      --b--

      """),
]

@Suite struct SevenBitTests {
  @Test(arguments: conversions) fileprivate func `parts are encoded and their headers say so`(_ row: Conversion) throws {
    for size in [1, 2, 3, 7, 64, 10_000] {
      let output = try sevenBit(lines(row.before), pieces: size)
      #expect(String(decoding: output, as: UTF8.self) == String(decoding: lines(row.after), as: UTF8.self))
    }
  }

  @Test func `what is signed or must not be encoded is refused, and left alone where it is in 7 bits`() throws {
    let signed = "Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n"
    #expect(try sevenBit(lines(signed)) == lines(signed))
    #expect(throws: SevenBitError.signed) { try sevenBit(lines(signed.replacing("x", with: "\u{FC}"))) }
    let partial = "Content-Type: message/partial; id=1; number=1\n\nx\u{FC}\n"
    #expect(throws: SevenBitError.opaque) { try sevenBit(lines(partial)) }
    let unknown = "Content-Transfer-Encoding: x-uuencode\n\nx\u{FC}\n"
    #expect(throws: SevenBitError.opaque) { try sevenBit(lines(unknown)) }
  }

  @Test(arguments: Corpus.names) func `hard messages say in 7 bits what they said in 8`(_ name: String) throws {
    let message = try Corpus.message(name)
    guard let output = try? sevenBit(message) else { return }
    for size in [1, 5, 100] { #expect(try sevenBit(message, pieces: size) == output) }
    let (before, after) = (MessageStructure(parsing: message), MessageStructure(parsing: output))
    let leaves = (leaves(of: before.root), leaves(of: after.root))
    try #require(leaves.0.count == leaves.1.count)
    for (old, new) in zip(leaves.0, leaves.1) {
      let body = output[new.bodyRange]
      #expect(body.allSatisfy { $0 < 0x80 })
      guard new.encoding != old.encoding else { continue }
      let content = message[old.bodyRange].withUnsafeBytes { old.decodedContent($0) }
      #expect(body.withUnsafeBytes { new.decodedContent($0) } == content)
    }
  }

  @Test func `any octets come out in 7 bits behind the header, wherever they are cut`() throws {
    var random = SystemRandomNumberGenerator()
    let words = [
      "--b", "\r\n", "\n", "--", "Content-Type: multipart/mixed; boundary=b\r\n", "\r", "\u{FC}", "=", " ", "x", "\0",
    ]
    for _ in 0..<2_000 {
      var message = Array("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".utf8)
      for _ in 0..<Int.random(in: 0...20, using: &random) { message += words.randomElement(using: &random)!.utf8 }
      guard let whole = try? sevenBit(message) else { continue }
      #expect(try sevenBit(message, pieces: Int.random(in: 1...9, using: &random)) == whole)
    }
  }

  private func leaves(of part: MessagePart) -> [MessagePart] {
    switch part.content {
    case .leaf: [part]
    case .multipart(let parts): parts.flatMap { leaves(of: $0) }
    case .message(let structure): leaves(of: structure.root)
    }
  }
}
