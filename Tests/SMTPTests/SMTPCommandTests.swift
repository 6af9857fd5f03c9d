import MessageFormat
import SMTP
import Testing

/// `nil` where the line must be refused.
struct CommandCase: CustomTestStringConvertible, Sendable {
  var line: String
  var paths = PathSyntax.strict
  var expected: Result<SMTPCommand, SMTPSyntaxError>
  var testDescription: String { line }
}

private func address(_ text: String) -> EmailAddress { EmailAddress(text)! }

private func mail(_ text: String, _ change: (inout MailParameters) -> Void = { _ in }) -> SMTPCommand {
  var parameters = MailParameters()
  change(&parameters)
  return .mail(text.isEmpty ? .null : .mailbox(address(text)), parameters)
}

private func rcpt(_ text: String, _ change: (inout RecipientParameters) -> Void = { _ in }) -> SMTPCommand {
  var parameters = RecipientParameters()
  change(&parameters)
  return .recipient(text == "postmaster" ? .postmaster : .mailbox(address(text)), parameters)
}

private func ok(_ line: String, _ command: SMTPCommand) -> CommandCase {
  CommandCase(line: line, expected: .success(command))
}
private func lenient(_ line: String, _ command: SMTPCommand) -> CommandCase {
  CommandCase(line: line, paths: .bracketsOptional, expected: .success(command))
}
private func bad(_ line: String, _ error: SMTPSyntaxError) -> CommandCase {
  CommandCase(line: line, expected: .failure(error))
}

private let commandCases: [CommandCase] = [
  // hello
  ok("EHLO client.example", .hello(.ehlo, name: "client.example")),
  ok("ehlo [192.0.2.1]", .hello(.ehlo, name: "[192.0.2.1]")),
  ok("HELO  some_host ", .hello(.helo, name: "some_host")),
  ok("LHLO x", .hello(.lhlo, name: "x")),
  bad("EHLO", .invalidHelloName),
  bad("EHLO a b", .invalidHelloName),
  bad("EHLO " + String(repeating: "x", count: 256), .invalidHelloName),
  // bare commands
  ok("data", .data), ok("DATA ", .data), ok("Rset", .reset), ok("QUIT", .quit), ok("STARTTLS", .startTLS),
  ok("NOOP anything goes", .noop), ok("VRFY alice", .verify), ok("EXPN list", .expand), ok("HELP me", .help),
  bad("DATA now", .unexpectedArgument), bad("QUIT x", .unexpectedArgument),
  bad("", .unknownCommand), bad(" EHLO x", .unknownCommand), bad("EHLOX y", .unknownCommand),
  bad("MAILFROM:<>", .unknownCommand),
  bad("GET / HTTP/1.1", .foreignProtocol), bad("POST /x HTTP/1.0", .foreignProtocol),
  bad("PRI * HTTP/2.0", .foreignProtocol),
  // control characters
  bad("NOOP\r", .bareLineEnd), bad("MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>", .bareLineEnd),
  bad("NOOP \0", .nullOctet),
  // MAIL
  ok("MAIL FROM:<>", mail("")),
  ok("mail from:<a@b.example>", mail("a@b.example")),
  ok("MAIL FROM: <a@b.example>", mail("a@b.example")),
  ok("MAIL  FROM:  <a@B.Example>", mail("a@b.example")),
  ok("MAIL FROM:<@relay.example,@x.example:a@b.example>", mail("a@b.example")),
  ok("MAIL FROM:<\"a b\"@b.example>", mail("\"a b\"@b.example")),
  ok("MAIL FROM:<\"a\\\"b\\\\\"@b.example>", mail("\"a\\\"b\\\\\"@b.example")),
  ok("MAIL FROM:<a@[192.0.2.1]>", mail("a@[192.0.2.1]")),
  ok("MAIL FROM:<a@[IPv6:2001:db8::1]>", mail("a@[IPv6:2001:db8::1]")),
  ok(
    "MAIL FROM:<a..b.@b.example>",
    .mail(.mailbox(EmailAddress(localPart: "a..b.", domain: Domain("b.example")!)), MailParameters())),
  ok("MAIL FROM:<jö@exämple.test> SMTPUTF8", mail("jö@exämple.test") { $0.usesUTF8 = true }),
  ok(
    "MAIL FROM:<> BODY=8bitmime SIZE=1000",
    mail("") {
      $0.body = .eightBit
      $0.size = 1000
    }),
  ok("MAIL FROM:<> SIZE=99999999999999999999", mail("") { $0.size = .max }),
  ok("MAIL FROM:<> BODY=BINARYMIME", mail("") { $0.body = .binary }),
  ok("MAIL FROM:<> AUTH=<>", mail("") { $0.submitter = [] }),
  ok("MAIL FROM:<> AUTH=e+3Dmc2@example.com", mail("") { $0.submitter = Array("e=mc2@example.com".utf8) }),
  ok(
    "MAIL FROM:<> RET=hdrs ENVID=QQ+2B1",
    mail("") {
      $0.returnedContent = .headers
      $0.envelopeID = Array("QQ+1".utf8)
    }),
  // What is asked for beyond taking the message
  ok("MAIL FROM:<> REQUIRETLS", mail("") { $0.requiresTLS = true }),
  ok("MAIL FROM:<> BY=120;R", mail("") { $0.deliverBy = .init(seconds: 120, mode: .return) }),
  ok("MAIL FROM:<> by=-5;nt", mail("") { $0.deliverBy = .init(seconds: -5, mode: .notify, isTraced: true) }),
  ok(
    "MAIL FROM:<> BY=+999999999;RT",
    mail("") { $0.deliverBy = .init(seconds: 999_999_999, mode: .return, isTraced: true) }),
  ok("MAIL FROM:<> MT-PRIORITY=-9", mail("") { $0.priority = -9 }),
  ok("MAIL FROM:<> MT-PRIORITY=4", mail("") { $0.priority = 4 }),
  ok("MAIL FROM:<> HOLDFOR=3600", mail("") { $0.holdFor = 3_600 }),
  ok(
    "MAIL FROM:<> HOLDUNTIL=2026-01-15T14:00:00+02:00",
    mail("") { $0.holdUntil = Timestamp(seconds: 1_768_478_400) }),
  ok("MAIL FROM:<> HOLDUNTIL=2026-01-15T12:00:00.5Z", mail("") { $0.holdUntil = Timestamp(seconds: 1_768_478_400) }),
  ok(
    "MAIL FROM:<> SOLICIT=org.example:ADV:ADLT,net.example:ADV",
    mail("") { $0.solicitations = ["org.example:ADV:ADLT", "net.example:ADV"] }),
  bad("MAIL FROM:<> REQUIRETLS=1", .invalidParameter("REQUIRETLS")),
  bad("MAIL FROM:<> BY=0;R", .invalidParameter("BY")), bad("MAIL FROM:<> BY=-1;R", .invalidParameter("BY")),
  bad("MAIL FROM:<> BY=9999999999;N", .invalidParameter("BY")), bad("MAIL FROM:<> BY=5;X", .invalidParameter("BY")),
  bad("MAIL FROM:<> BY=5;NTT", .invalidParameter("BY")), bad("MAIL FROM:<> BY=5", .invalidParameter("BY")),
  bad("MAIL FROM:<> BY=;N", .invalidParameter("BY")), bad("MAIL FROM:<> BY", .invalidParameter("BY")),
  bad("MAIL FROM:<> MT-PRIORITY=10", .invalidParameter("MT-PRIORITY")),
  bad("MAIL FROM:<> MT-PRIORITY=-10", .invalidParameter("MT-PRIORITY")),
  bad("MAIL FROM:<> MT-PRIORITY=", .invalidParameter("MT-PRIORITY")),
  bad("MAIL FROM:<> HOLDFOR=0", .invalidParameter("HOLDFOR")),
  bad("MAIL FROM:<> HOLDFOR=-1", .invalidParameter("HOLDFOR")),
  bad("MAIL FROM:<> HOLDFOR=1000000000", .invalidParameter("HOLDFOR")),
  bad("MAIL FROM:<> HOLDUNTIL=tomorrow", .invalidParameter("HOLDUNTIL")),
  bad("MAIL FROM:<> HOLDUNTIL=2026-02-30T12:00:00Z", .invalidParameter("HOLDUNTIL")),
  bad("MAIL FROM:<> HOLDUNTIL=2026-01-15T12:00:00", .invalidParameter("HOLDUNTIL")),
  bad("MAIL FROM:<> HOLDUNTIL=9999-12-31T23:59:59-01:00", .invalidParameter("HOLDUNTIL")),
  bad("MAIL FROM:<> HOLDFOR=5 HOLDUNTIL=2026-01-15T12:00:00Z", .invalidParameter("HOLDUNTIL")),
  bad("MAIL FROM:<> HOLDUNTIL=2026-01-15T12:00:00Z HOLDFOR=5", .invalidParameter("HOLDFOR")),
  bad("MAIL FROM:<> SOLICIT=", .invalidParameter("SOLICIT")),
  bad("MAIL FROM:<> SOLICIT=a,,b", .invalidParameter("SOLICIT")),
  bad("MAIL FROM:<> SOLICIT=" + String(repeating: "a", count: 1_001), .invalidParameter("SOLICIT")),
  lenient("MAIL FROM:a@b.example", mail("a@b.example")),
  lenient("MAIL FROM: a@b.example SIZE=5", mail("a@b.example") { $0.size = 5 }),
  bad("MAIL FROM:a@b.example", .missingBrackets(.reverse)),
  bad("MAIL", .missingPath(.reverse)), bad("MAIL TO:<a@b.example>", .missingPath(.reverse)),
  bad("MAIL FROM <a@b.example>", .missingPath(.reverse)),
  bad("MAIL FROM:<a@b.example", .invalidPath(.reverse)), bad("MAIL FROM:<a@b.example>>", .invalidPath(.reverse)),
  bad("MAIL FROM:<a>", .invalidPath(.reverse)), bad("MAIL FROM:<@b.example>", .invalidPath(.reverse)),
  bad("MAIL FROM:<a b@b.example>", .invalidPath(.reverse)),
  bad("MAIL FROM:<a@b.example>SIZE=1", .invalidPath(.reverse)),
  bad("MAIL FROM:<\"a@b.example>", .invalidPath(.reverse)),
  bad("MAIL FROM:<" + String(repeating: "a", count: 600) + "@b.example>", .invalidPath(.reverse)),
  bad("MAIL FROM:<> SIZE=-1", .invalidParameter("SIZE")), bad("MAIL FROM:<> SIZE", .invalidParameter("SIZE")),
  bad("MAIL FROM:<> SIZE=999999999999999999999", .invalidParameter("SIZE")),
  bad("MAIL FROM:<> BODY=9BIT", .invalidParameter("BODY")),
  bad("MAIL FROM:<> SMTPUTF8=1", .invalidParameter("SMTPUTF8")),
  bad("MAIL FROM:<> FOO=1", .unknownParameter("FOO")), bad("MAIL FROM:<> SIZE=1 size=2", .repeatedParameter("SIZE")),
  bad("MAIL FROM:<> =1", .invalidParameter("")), bad("MAIL FROM:<> ENVID=a+b", .invalidParameter("ENVID")),
  bad("MAIL FROM:<> RET=SOME", .invalidParameter("RET")),
  // RCPT
  ok("RCPT TO:<a@b.example>", rcpt("a@b.example")), ok("rcpt to: <a@b.example>", rcpt("a@b.example")),
  ok("RCPT TO:<Postmaster>", rcpt("postmaster")), ok("RCPT TO:<postmaster@b.example>", rcpt("postmaster@b.example")),
  ok("RCPT TO:<@x.example:a@b.example>", rcpt("a@b.example")),
  ok("RCPT TO:<a@b.example> NOTIFY=NEVER", rcpt("a@b.example") { $0.notify = .never }),
  ok("RCPT TO:<a@b.example> NOTIFY=SUCCESS,delay", rcpt("a@b.example") { $0.notify = [.success, .delay] }),
  bad("RCPT TO:<>", .invalidPath(.forward)), bad("RCPT TO:<alice>", .invalidPath(.forward)),
  bad("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", .invalidParameter("NOTIFY")),
  bad("RCPT TO:<a@b.example> NOTIFY=", .invalidParameter("NOTIFY")),
  bad("RCPT TO:<a@b.example> ORCPT=rfc822", .invalidParameter("ORCPT")),
  bad("RCPT TO:<a@b.example> ORCPT=rfc(822;a@b", .invalidParameter("ORCPT")),
  bad("RCPT TO:<a@b.example> SIZE=1", .unknownParameter("SIZE")),
  bad("RCPT FROM:<a@b.example>", .missingPath(.forward)),
  // BDAT
  ok("BDAT 10", .chunk(size: 10, isLast: false)), ok("bdat 0 last", .chunk(size: 0, isLast: true)),
  bad("BDAT", .invalidChunkSize), bad("BDAT -1", .invalidChunkSize), bad("BDAT 1x", .invalidChunkSize),
  bad("BDAT 10 LAST x", .invalidChunkSize), bad("BDAT 99999999999999999999", .invalidChunkSize),
  // AUTH
  ok("AUTH PLAIN", .authenticate(mechanism: "PLAIN", initialResponse: nil)),
  ok("auth login dGVzdA==", .authenticate(mechanism: "LOGIN", initialResponse: Array("dGVzdA==".utf8))),
  ok("AUTH SCRAM-SHA-256-PLUS =", .authenticate(mechanism: "SCRAM-SHA-256-PLUS", initialResponse: Array("=".utf8))),
  bad("AUTH", .invalidMechanism), bad("AUTH PLA.IN", .invalidMechanism),
  bad("AUTH AAAAAAAAAAAAAAAAAAAAA", .invalidMechanism),
]

@Suite struct SMTPCommandTests {
  @Test(arguments: commandCases) func `a line is read as the grammar says`(_ row: CommandCase) {
    let result = Result { () throws(SMTPSyntaxError) in
      try SMTPCommand(parsing: Array(row.line.utf8), paths: row.paths)
    }
    #expect(result == row.expected)
  }

  @Test(arguments: commandCases) func `parameters of MAIL are read back as they are written`(_ row: CommandCase) throws {
    guard case .success(.mail(_, let parameters)) = row.expected else { return }
    var written: [UInt8] = []
    parameters.append(to: &written)
    #expect(try MailParameters(written: written) == parameters)
  }

  @Test(arguments: [
    ("rfc822;a+2Bx@b.example", "rfc822", "a+x@b.example"), ("x400;+2F", "x400", "/"),
    // RFC 6533 §3
    ("utf-8;j\\x{FC}rgen@b.example", "utf-8", "j\u{FC}rgen@b.example"), ("UTF-8;j\u{FC}@b", "UTF-8", "j\u{FC}@b"),
    ("utf-8;\\x{2B}\\x{5C}x{41}\\x{D800}\\x{}\\x{41", "utf-8", "+\\x{41}\\x{D800}\\x{}\\x{41"),
  ])
  func `the original recipient is kept decoded, and read back as it is written`(
    text: String, type: String, address: String
  ) throws {
    let line = "RCPT TO:<a@b.example> ORCPT=\(text)"
    guard case .recipient(_, let parameters) = try SMTPCommand(parsing: Array(line.utf8), paths: .strict) else {
      Issue.record("not RCPT")
      return
    }
    #expect(parameters.originalRecipient?.type == type)
    #expect(parameters.originalRecipient?.address == Array(address.utf8))
    for isUTF8 in [false, true] {
      var written: [UInt8] = []
      parameters.append(to: &written, isUTF8: isUTF8)
      #expect(try RecipientParameters(written: written) == parameters)
    }
  }

  @Test func `an original recipient that grows by being written is not lost`() throws {
    let line = "RCPT TO:<a@b.example> NOTIFY=NEVER ORCPT=utf-8;" + String(repeating: "+2B", count: 160)
    guard case .recipient(_, let parameters) = try SMTPCommand(parsing: Array(line.utf8), paths: .strict) else {
      Issue.record("not RCPT")
      return
    }
    var written: [UInt8] = []
    parameters.append(to: &written, isUTF8: true)
    #expect(try RecipientParameters(written: written) == parameters && written.count > 900)
  }

  @Test func `any octets give a command or an error`() {
    var random = SystemRandomNumberGenerator()
    let words = [
      "MAIL FROM:<", "RCPT TO:<", ">", "@", "\"", "\\", " SIZE=", " BODY=", ",", ":", "BDAT ", "AUTH ", "EHLO ", "=",
    ]
    for _ in 0..<20_000 {
      var line: [UInt8] = []
      for _ in 0..<Int.random(in: 0...8, using: &random) {
        if Bool.random(using: &random) {
          line += words.randomElement(using: &random)!.utf8
        } else {
          line += (0..<Int.random(in: 0...4, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
      }
      _ = try? SMTPCommand(parsing: line, paths: .bracketsOptional)
    }
  }

  @Test func `xtext goes there and back`() {
    for text in ["", "a+b=c", "ü\u{1} ~!", "plain"] {
      #expect(XText.decode(XText.encode(text.utf8)[...]) == Array(text.utf8))
    }
  }

  @Test func `every line of a reply has the code and the status`() {
    var output: [UInt8] = []
    SMTPReply(550, EnhancedStatus(5, 1, 1), ["one", "two"]).append(to: &output)
    SMTPReply(250, nil, ["mail.example", "SIZE 1"]).append(to: &output)
    #expect(
      String(decoding: output, as: UTF8.self)
        == "550-5.1.1 one\r\n550 5.1.1 two\r\n250-mail.example\r\n250 SIZE 1\r\n")
  }
}
