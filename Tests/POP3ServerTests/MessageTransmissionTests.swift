import Testing

@testable import POP3Server

/// Messages as they are stored and as they go over the wire, whole and by TOP.
private let cases: [(stored: String, bodyLines: Int?, sent: String)] = [
  ("A: b\r\n\r\ntext\r\n", nil, "A: b\r\n\r\ntext\r\n.\r\n"),
  ("A: b\r\n\r\n.\r\n..\r\n.x\r\n", nil, "A: b\r\n\r\n..\r\n...\r\n..x\r\n.\r\n"),
  (".A: b\r\n\r\n", nil, "..A: b\r\n\r\n.\r\n"),
  ("A: b\r\n\r\nno end", nil, "A: b\r\n\r\nno end\r\n.\r\n"),
  ("A: b\r\n", nil, "A: b\r\n\r\n.\r\n"),
  ("A: b", nil, "A: b\r\n\r\n.\r\n"),
  ("A: b\r\n\r\n", nil, "A: b\r\n\r\n.\r\n"),
  ("", nil, "\r\n.\r\n"),
  ("\r\nonly body\r\n", nil, "\r\nonly body\r\n.\r\n"),
  ("A: b\n\nbare\n.\nend\n", nil, "A: b\n\nbare\n..\nend\n.\r\n"),
  ("A: b\r\n\r\nx\0y.\r\n", nil, "A: b\r\n\r\nx\u{80}y.\r\n.\r\n"),
  ("A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, "A: b\r\n\r\n.\r\n"),
  ("A: b\r\n\r\n1\r\n.2\r\n3\r\n", 2, "A: b\r\n\r\n1\r\n..2\r\n.\r\n"),
  ("A: b\r\n\r\n1\r\n2\r\n3\r\n", 3, "A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n"),
  ("A: b\r\n\r\n1\r\n2", .max, "A: b\r\n\r\n1\r\n2\r\n.\r\n"),
  ("A: b\r\nC: d\r\n", 5, "A: b\r\nC: d\r\n\r\n.\r\n"),
]

/// Whatever way the message is cut into chunks, the same octets are sent.
@Test(arguments: cases.indices) func `stored octets become the octets on the wire`(index: Int) {
  let (stored, bodyLines, sent) = cases[index]
  let bytes = Array(stored.utf8)
  for chunkSize in 1...max(1, bytes.count) {
    var transmission = MessageTransmission(bodyLines: bodyLines)
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: chunkSize) where !transmission.isComplete {
      transmission.append(Array(bytes[start..<min(start + chunkSize, bytes.count)]), to: &output)
    }
    transmission.finish(&output)
    #expect(output == sent.unicodeScalars.map { UInt8($0.value) }, "in chunks of \(chunkSize)")
  }
}
