import SMTP
import Testing

/// Lines of a server and the reply they make, as `code|status|text|text`, or the error.
private let replyCases: [(lines: [String], reply: String)] = [
  (["250 ok"], "250||ok"),
  (["250"], "250||"),
  (["250 "], "250||"),
  (["250-", "250 "], "250|||"),
  (["550 5.1.1 No such user"], "550|5.1.1|No such user"),
  (["550-5.1.1 No such user", "550 5.1.1 here"], "550|5.1.1|No such user|here"),
  (["550-5.1.1 No such user", "550 here"], "550|5.1.1|No such user|here"),
  (["550-First", "550 5.7.26 second"], "550|5.7.26|First|second"),
  (["550 5.1.1"], "550|5.1.1|"),
  // The code decides; a status that contradicts it is text.
  (["550 4.2.1 later"], "550||4.2.1 later"),
  (["250 5.1.1 what"], "250||5.1.1 what"),
  (["354 2.0.0 go"], "354||2.0.0 go"),
  (["250 2.0.0abc"], "250||2.0.0abc"),
  (["250 2.0 abc"], "250||2.0 abc"),
  (["250 2.1000.0 abc"], "250||2.1000.0 abc"),
  (["250 1.2.3.4 is you"], "250||1.2.3.4 is you"),
  (["220 \u{1B}[2Jhello\u{7F}"], "220||?[2Jhello?"),
  (["250-a", "550 b"], "codesDiffer"),
  (["25 ok"], "notAReply(\"25 ok\")"),
  ([""], "notAReply(\"\")"),
  (["150 wait"], "notAReply(\"150 wait\")"),
  (["650 what"], "notAReply(\"650 what\")"),
  (["2x0 what"], "notAReply(\"2x0 what\")"),
  (["250x"], "notAReply(\"250x\")"),
  (["250_ok"], "notAReply(\"250_ok\")"),
  (["250 " + String(repeating: "x", count: 2_044)], "250||" + String(repeating: "x", count: 2_044)),
  (["250 " + String(repeating: "x", count: 2_045)], "lineTooLong"),
  (Array(repeating: "250-x", count: 201), "tooLong"),
  (Array(repeating: "250-" + String(repeating: "x", count: 2_000), count: 17), "tooLong"),
]

@Suite struct ReplyParserTests {
  @Test(arguments: replyCases) func linesMakeAReply(_ lines: [String], _ expected: String) {
    var parser = ReplyParser()
    var result = "unfinished"
    do throws(ReplySyntaxError) {
      for line in lines {
        if let reply = try parser.take(Array(line.utf8)) {
          result = "\(reply.code)|\(reply.status?.description ?? "")|\(reply.lines.joined(separator: "|"))"
        }
      }
    } catch {
      result = "\(error)"
    }
    #expect(result == expected)
  }

  @Test func whatIsNoUTF8IsRepaired() throws {
    var parser = ReplyParser()
    let reply = try parser.take(Array("550 caf".utf8) + [0xE9])
    #expect(reply?.lines == ["caf\u{FFFD}"])
  }

  @Test func afterAReplyTheNextOneBegins() throws {
    var parser = ReplyParser()
    #expect(try parser.take(Array("250-a".utf8)) == nil)
    #expect(try parser.take(Array("250 b".utf8))?.lines == ["a", "b"])
    #expect(try parser.take(Array("550 c".utf8))?.lines == ["c"])
  }
}

private let ehloCases: [(lines: [String], extensions: [SMTPExtension])] = [
  (["mx.test"], []),
  (["mx.test greets you", "PIPELINING", "size 1000", "8bitmime"], [.pipelining, .size(1_000), .eightBitMIME]),
  (["mx.test", "SIZE", "SIZE 5"], [.size(0)]),
  (["mx.test", "SIZE 99999999999999999999"], [.size(0)]),
  (["mx.test", "AUTH plain LOGIN", "AUTH=LOGIN"], [.auth(["PLAIN", "LOGIN"])]),
  (["mx.test", "AUTH=LOGIN PLAIN"], [.auth(["LOGIN", "PLAIN"])]),
  (["mx.test", "AUTH"], [.auth([])]),
  (["mx.test", "LIMITS RCPTMAX=20 MAILMAX=3 OTHER"], [.limits(recipients: 20, transactions: 3)]),
  (["mx.test", "LIMITS RCPTMAX=x"], [.limits(recipients: nil)]),
  (["mx.test", "DELIVERBY", "DSN", "REQUIRETLS"], [.deliverBy(minimum: nil), .dsn, .requireTLS]),
  (["mx.test", "DELIVERBY 240", "FUTURERELEASE 100 2026-01-01T00:00:00Z"],
   [.deliverBy(minimum: 240), .futureRelease(longest: 100, latest: "2026-01-01T00:00:00Z")]),
  (["mx.test", "", "  ", "XCLIENT NAME", "STARTTLS ", "CHUNKING\t", "SMTPUTF8", "BINARYMIME", "MT-PRIORITY MIXER"],
   [.startTLS, .chunking, .smtpUTF8, .binaryMIME, .priority(policy: "MIXER")]),
]

@Suite struct EHLOResponseTests {
  @Test(arguments: ehloCases) func linesAreExtensions(_ lines: [String], _ expected: [SMTPExtension]) {
    let response = EHLOResponse(SMTPReply(250, nil, lines))
    #expect(response.extensions == expected)
    #expect(response.domain == "mx.test")
    #expect((response.transactionLimit ?? 1) > 0 && (response.recipientLimit ?? 1) > 0)
  }

  @Test func whatAServerAnnouncesIsReadBack() {
    let all: [SMTPExtension] = [
      .pipelining, .size(5), .eightBitMIME, .smtpUTF8, .enhancedStatusCodes, .chunking, .binaryMIME, .startTLS,
      .auth(["PLAIN"]), .limits(recipients: 4), .dsn, .requireTLS, .deliverBy(minimum: 4), .priority(policy: "MIXER"),
      .futureRelease(longest: 9, latest: nil), .noSoliciting,
    ]
    #expect(EHLOResponse(SMTPReply(250, nil, ["mx.test"] + all.map(\.description))).extensions == all)
  }
}
