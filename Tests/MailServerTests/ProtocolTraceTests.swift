import Networking
import Testing

@testable import MailServer

@Suite struct ProtocolTraceTests {
  /// `C:` and `S:` say who sends what follows, `\r\n` and all; the result has a line each.
  static let dialogues: [(ProtocolTrace.Dialogue, [String], [String])] = [
    (
      .smtp,
      [
        "C:EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", "S:250 ok\r\n235 2.7.0 ok\r\n", "C:MAIL FROM:<a@b>\r\nDATA\r\n",
        "S:250 ok\r\n354 go\r\n",
        "C:Subject: x\r\n\r\nbody\r\n..\r\n.\r\nQUIT\r\n",
      ],
      [
        "C:EHLO a", "C:AUTH PLAIN <hidden>", "S:250 ok", "S:235 2.7.0 ok", "C:MAIL FROM:<a@b>", "C:DATA", "S:250 ok",
        "S:354 go",
        "C:<27 octets>", "C:QUIT",
      ]
    ),
    (
      .smtp,
      [
        "C:AUTH LOGIN\r\n", "S:334 VXNlcm5hbWU6\r\n", "C:YQ==\r\n", "S:334 UGFzc3dvcmQ6\r\n", "C:c2VjcmV0\r\n",
        "S:535 no\r\n", "C:NOOP\r\n",
      ],
      ["C:AUTH LOGIN", "S:334 <hidden>", "C:<hidden>", "S:334 <hidden>", "C:<hidden>", "S:535 no", "C:NOOP"]
    ),
    (.smtp, ["C:BDAT 6 LAST\r\nab", "C:c\r\nxNOOP\r\n"], ["C:BDAT 6 LAST", "C:<6 octets>", "C:NOOP"]),
    (
      .imap, ["C:a1 LOGIN {5}\r\n", "S:+ go\r\n", "C:alice \"secret\"\r\n", "S:a1 OK done\r\n", "C:a2 NOOP\r\n"],
      ["C:a1 LOGIN <hidden>", "S:+ <hidden>", "C:<5 octets>", "C:<hidden>", "S:a1 OK done", "C:a2 NOOP"]
    ),
    (
      .imap,
      [
        "C:a1 AUTHENTICATE PLAIN AGEAYg==\r\na2 SELECT INBOX\r\n", "S:a1 OK\r\n", "C:a3 FETCH 1 BODY[]\r\n",
        "S:* 1 FETCH (BODY[] {4}\r\nab\r\n UID 1)\r\na3 OK\r\n",
      ],
      [
        "C:a1 AUTHENTICATE PLAIN <hidden>", "C:<hidden>", "S:a1 OK", "C:a3 FETCH 1 BODY[]", "S:* 1 FETCH (BODY[] {4}",
        "S:<4 octets>",
        "S: UID 1)", "S:a3 OK",
      ]
    ),
    (
      .imap, ["C:a1 APPEND INBOX {3+}\r\na\r\n", "C:\r\na2 NOOP\r\n"],
      ["C:a1 APPEND INBOX {3+}", "C:<3 octets>", "C:", "C:a2 NOOP"]
    ),
    (
      .pop3,
      ["C:USER a\r\nPASS secret\r\nRETR 1\r\nNOOP\r\n", "S:+OK\r\n+OK\r\n+OK 3 octets\r\nx: y\r\n\r\n.\r\n+OK\r\n"],
      [
        "C:USER a", "C:PASS <hidden>", "C:RETR 1", "C:NOOP", "S:+OK", "S:+OK", "S:+OK 3 octets", "S:<11 octets>",
        "S:+OK",
      ]
    ),
  ]

  @Test(arguments: dialogues) func secretsAndBodiesAreNotShown(
    dialogue: ProtocolTrace.Dialogue, input: [String], expected: [String]
  ) {
    // As one run of bytes each, and byte by byte: where the network cuts makes no difference. Nor does it which side we
    // are.
    for (piece, role) in [(Int.max, ProtocolTrace.Role.server), (1, .server), (1, .client)] {
      var trace = ProtocolTrace(dialogue, as: role)
      var shown: [String] = []
      for text in input {
        let bytes = Array(text.utf8.dropFirst(2))
        for start in stride(from: 0, to: bytes.count, by: min(piece, bytes.count)) {
          let part = Array(bytes[start..<min(bytes.count, start + min(piece, bytes.count))])
          let isReceived = text.hasPrefix("C:") == (role == .server)
          shown += trace.lines(isReceived ? .received : .sent, part).map { text.prefix(2) + $0 }
        }
      }
      #expect(shown == expected)
    }
  }
}
