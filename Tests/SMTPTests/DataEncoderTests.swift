import SMTP
import Testing

/// A message, and what of it goes over the wire after DATA. For BDAT it is the same without the dots.
private let encoderCases: [(message: String, wire: String)] = [
  ("", ".\r\n"),
  ("a\r\n", "a\r\n.\r\n"),
  ("a", "a\r\n.\r\n"),
  ("a\r", "a\r\n.\r\n"),
  (".\r\n", "..\r\n.\r\n"),
  ("..\r\n.a\r\nb.\r\n", "...\r\n..a\r\nb.\r\n.\r\n"),
  ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
  // Line ends that only some would see become line ends for all, before the dots are looked at.
  ("a\n.\nMAIL\n", "a\r\n..\r\nMAIL\r\n.\r\n"),
  ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
  ("a\r\r\n.b", "a\r\n\r\n..b\r\n.\r\n"),
  ("a\n\r.b\r\n", "a\r\n\r\n..b\r\n.\r\n"),
  ("\r\n\r\n", "\r\n\r\n.\r\n"),
]

private func encoded(_ message: String, _ form: DataEncoder.Form, size: Int) -> String {
  var encoder = DataEncoder(form)
  var wire: [UInt8] = []
  let bytes = Array(message.utf8)
  for start in stride(from: 0, to: bytes.count, by: size) {
    encoder.encode(Array(bytes[start..<min(start + size, bytes.count)]), into: &wire)
  }
  encoder.finish(into: &wire)
  return String(decoding: wire, as: UTF8.self)
}

@Suite struct DataEncoderTests {
  @Test(arguments: encoderCases) func aMessageIsDotStuffedHoweverItIsCut(_ message: String, _ wire: String) {
    for size in 1...max(message.utf8.count, 1) {
      #expect(encoded(message, .dotted, size: size) == wire)
    }
    var decoder = DataDecoder()
    var output: [UInt8] = []
    let used = Array(wire.utf8).withUnsafeBytes { decoder.decode($0, into: &output) }
    #expect(used == wire.utf8.count && decoder.isFinished && !decoder.hasBareLineEnd)
    #expect(encoded(message, .lines, size: 3) == String(decoding: output, as: UTF8.self))
    #expect(encoded(message, .binary, size: 3) == message)
  }
}

@Suite struct ParameterWritingTests {
  /// What is written is what the server's parser reads.
  @Test func parametersAreReadBack() throws {
    var mail = MailParameters()
    mail.size = 12
    mail.body = .eightBit
    mail.usesUTF8 = true
    mail.submitter = Array("a=b+c@example.test".utf8)
    mail.returnedContent = .full
    mail.envelopeID = Array("QQ 314".utf8)
    var written: [UInt8] = []
    mail.append(to: &written)
    #expect(
      String(decoding: written, as: UTF8.self)
        == " SIZE=12 BODY=8BITMIME SMTPUTF8 AUTH=a+3Db+2Bc@example.test RET=FULL ENVID=QQ+20314")
    guard case .mail(.null, let read) = try SMTPCommand(parsing: Array("MAIL FROM:<>".utf8) + written, paths: .strict)
    else { throw SMTPSyntaxError.unknownCommand }
    #expect(read == mail)

    for (notify, original) in [
      (NotifyConditions.never, RecipientParameters.OriginalRecipient(type: "rfc822", address: Array("a+b@c".utf8))),
      ([.success, .failure, .delay], .init(type: "utf-8", address: Array("jürgen@exämple.test".utf8))),
    ] {
      var recipient = RecipientParameters()
      recipient.notify = notify
      recipient.originalRecipient = original
      var written: [UInt8] = []
      recipient.append(to: &written, isUTF8: true)
      let command = Array("RCPT TO:<a@b>".utf8) + written
      guard case .recipient(_, let read) = try SMTPCommand(parsing: command, paths: .strict) else { continue }
      #expect(read == recipient)
    }
  }

  @Test(arguments: [
    (true, "utf-8;jürgen@exämple.test"), (false, "utf-8;j\\x{FC}rgen@ex\\x{E4}mple.test"),
  ]) func anInternationalAddressHasAnASCIIForm(_ isUTF8: Bool, _ expected: String) {
    let original = RecipientParameters.OriginalRecipient(type: "utf-8", address: Array("jürgen@exämple.test".utf8))
    #expect(String(decoding: original.encoded(isUTF8: isUTF8), as: UTF8.self) == expected)
  }
}
