import Delivery
import MessageFormat
import SMTP
import Testing

private let date = DateTime(timestamp: Timestamp(seconds: 1_768_478_400), offsetMinutes: 0)
private let original = """
  From: Alice <alice@example.test>\r
  To: bob@remote.test\r
  Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r
  Message-ID: <1@example.test>\r
  \r
  Hello Bob.\r

  """

private func report(
  to sender: String = "alice@example.test", _ message: ReportedMessage? = nil, _ recipients: ReportedRecipient...
) -> DeliveryReport {
  DeliveryReport(
    to: EmailAddress(sender)!, hostname: "mx.example.test", token: "T0K3N", date: date,
    message: message ?? ReportedMessage(beginning: Array(original.utf8), size: original.utf8.count),
    recipients: recipients)
}

private func recipient(
  _ address: String, _ action: ReportAction = .failed, _ status: EnhancedStatus = EnhancedStatus(5, 1, 1),
  host: String? = "mx.remote.test", reply: String? = "550 5.1.1 No such user here"
) -> ReportedRecipient {
  ReportedRecipient(
    address: EmailAddress(address)!, note: DeliveryNote(action, status, host: host, reply: reply), lastAttempt: date)
}

private func text(_ report: DeliveryReport, _ message: String = original) -> String {
  let content = report.content
  let whole = content.head + (content.original.map { Array(Array(message.utf8)[$0]) } ?? []) + content.tail
  #expect(whole.count == content.size)
  return String(decoding: whole, as: UTF8.self)
}

@Suite struct DeliveryReportTests {
  @Test func aFailureReturnsTheMessage() {
    var message = ReportedMessage(beginning: Array(original.utf8), size: original.utf8.count)
    message.envelopeID = Array("QQ 314".utf8)
    message.arrived = date
    var bob = recipient("bob@remote.test")
    bob.original = .init(type: "rfc822", address: Array("robert@old.test".utf8))
    #expect(
      text(report(message, bob)).replacing("\r\n", with: "\n") == """
        From: Mail Delivery <postmaster@mx.example.test>
        To: <alice@example.test>
        Subject: Your message could not be delivered
        Date: Thu, 15 Jan 2026 12:00:00 +0000
        Message-ID: <T0K3N@mx.example.test>
        In-Reply-To: <1@example.test>
        References: <1@example.test>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
        \tboundary="report-T0K3N"

        --report-T0K3N
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        This is the mail server mx.example.test.

        Your message could not be delivered to this address.
        It will not be tried again.

          <bob@remote.test>
            You wrote to robert@old.test.
            The server mx.remote.test said:
              550 5.1.1 No such user here
            There is no such address. Look for a typing mistake, or ask the
            recipient in another way for the right one.

        The message:
          Subject: Gr=C3=BC=C3=9Fe
          Message-ID: <1@example.test>
          Received here: Thu, 15 Jan 2026 12:00:00 +0000
          Size: 137 octets

        --report-T0K3N
        Content-Type: message/delivery-status

        Original-Envelope-Id: QQ 314
        Reporting-MTA: dns; mx.example.test
        Arrival-Date: Thu, 15 Jan 2026 12:00:00 +0000

        Original-Recipient: rfc822; robert@old.test
        Final-Recipient: rfc822; bob@remote.test
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mx.remote.test
        Diagnostic-Code: smtp; 550 5.1.1 No such user here
        Last-Attempt-Date: Thu, 15 Jan 2026 12:00:00 +0000

        --report-T0K3N
        Content-Type: message/rfc822

        \(original.replacing("\r\n", with: "\n"))
        --report-T0K3N--

        """)
  }

  @Test func severalRecipientsAndActionsStandInOne() {
    var late = recipient("carol@remote.test", .delayed, EnhancedStatus(4, 4, 1), reply: nil)
    late.note.explanation = "it cannot be reached: Connection refused"
    late.triesUntil = date
    let text = text(
      report(
        nil, recipient("bob@remote.test"), late,
        recipient("dave@remote.test", .delivered, EnhancedStatus(2, 1, 5), reply: "250 ok"),
        recipient("erin@remote.test", .relayed, EnhancedStatus(2, 1, 9), reply: "250 ok"),
        recipient("list@example.test", .expanded, EnhancedStatus(2, 1, 5), host: nil, reply: nil)))
    for part in [
      "Subject: Your message could not be delivered", "Action: failed", "Action: delayed", "Action: delivered",
      "Action: relayed", "Action: expanded", "Will-Retry-Until: Thu, 15 Jan", "It is tried until Thu, 15 Jan",
      "it cannot be reached: Connection refused", "has not been delivered yet to this address",
    ] { #expect(text.contains(part), "\(part)") }
    #expect(text.split(separator: "Final-Recipient:").count == 6)
  }

  @Test(arguments: [
    (.failed, nil, 100, true), (.failed, .full, 100, true), (.failed, .headers, 100, false),
    (.failed, .full, DeliveryReport.longestReturnedMessage + 1, false), (.delayed, .full, 100, false),
    (.delivered, nil, 100, false),
  ] as [(ReportAction, ReturnedContent?, Int, Bool)])
  func whatComesBackIsAsRETSays(_ action: ReportAction, _ ret: ReturnedContent?, _ size: Int, _ isFull: Bool) {
    var message = ReportedMessage(beginning: Array(original.utf8), size: size)
    message.returnedContent = ret
    let content = report(message, recipient("bob@remote.test", action)).content
    #expect((content.original == 0..<size) == isFull)
    let head = String(decoding: content.head, as: UTF8.self)
    #expect(head.contains("Content-Type: text/rfc822-headers\r\n\r\nFrom: Alice") == !isFull)
    #expect(head.hasSuffix("Content-Type: message/rfc822\r\n\r\n") == isFull)
  }

  @Test func aLongHeaderIsCutAtALine() {
    let field = "X-Long: " + String(repeating: "x", count: 90) + "\r\n"
    let header = String(repeating: field, count: 2_000)
    let message = ReportedMessage(beginning: Array(header.utf8), size: header.utf8.count)
    #expect(message.header.count <= ReportedMessage.longestHeader && message.header.count % field.utf8.count == 0)
  }

  @Test func inUTF8WhereTheMessageWas() {
    let german = "Subject: Grüße\r\n\r\nä\r\n"
    var message = ReportedMessage(
      beginning: Array(german.utf8), size: german.utf8.count, isUTF8: true, isEightBit: true)
    var bob = recipient("jürgen@remote.test", reply: "550 5.1.1 unbekannt: jürgen")
    bob.original = .init(type: "utf-8", address: Array("jürgen@remote.test".utf8))
    let inUTF8 = text(report(to: "ägir@example.test", message, bob), german)
    for part in [
      "To: <ägir@example.test>", "message/global-delivery-status", "Content-Type: message/global\r\n",
      "Original-Recipient: utf-8; jürgen@remote.test", "Diagnostic-Code: smtp; 550 5.1.1 unbekannt: jürgen",
      "Content-Transfer-Encoding: 8bit",
    ] { #expect(inUTF8.contains(part), "\(part)") }

    message.isUTF8 = false
    message.returnedContent = .headers
    let inASCII = text(report(message, bob), german)
    for part in [
      "Content-Type: message/delivery-status", "Original-Recipient: utf-8; j\\x{FC}rgen@remote.test",
      "Diagnostic-Code: smtp; 550 5.1.1 unbekannt: j??rgen",
    ] { #expect(inASCII.contains(part), "\(part)") }
  }

  /// What strangers say ends no field, no line of the text, and no part.
  @Test func aHostileReplyStaysInItsPlace() {
    let long = String(repeating: "z", count: 5_000)
    var bob = recipient("bob@remote.test", reply: "550 a\r\nBcc: x@y\r\n--report-guess--\r\n" + long)
    bob.note.host = "mx\r\nX: y"
    bob.original = .init(type: "rfc822", address: Array("a\r\nX-Evil: 1".utf8))
    let lines = text(report(nil, bob)).split(separator: "\r\n", omittingEmptySubsequences: false)
    #expect(!lines.contains { $0.hasPrefix("Bcc:") || $0.hasPrefix("X") || $0.hasPrefix("--report-guess") })
    #expect(lines.allSatisfy { $0.utf8.count <= 998 })
  }

  @Test(arguments: [
    DeliveryNote(.failed, EnhancedStatus(5, 1, 1), host: "mx.test", reply: "550 5.1.1 no"),
    DeliveryNote(.delayed, EnhancedStatus(4, 4, 1), explanation: "it cannot be reached"),
    DeliveryNote(.relayed, EnhancedStatus(2, 0, 0)),
  ]) func aNoteIsReadBack(_ note: DeliveryNote) {
    #expect(DeliveryNote(decoding: note.encoded) == note)
    #expect(DeliveryNote(decoding: note.encoded + "\t") == nil)
  }
}
