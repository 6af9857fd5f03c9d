import Bytes
package import MessageFormat
import SMTP

/// A delivery status notification: what became of a message, for the one who sent it.  RFC 3464, RFC 3461 §6.
///
/// It goes out with the null reverse-path. It cannot be made for a message that came with one, because it needs an
/// address to go to: a report is never answered by a report.  RFC 5321 §4.5.5.
package struct DeliveryReport: Sendable {
  /// The reverse-path of the message.
  package var recipient: EmailAddress
  /// Ours.
  package var hostname: String
  /// What nobody can guess, letters and digits: the report's Message-ID and its boundary are made of it.
  package var token: String
  package var date: DateTime
  package var message: ReportedMessage
  /// Never empty. Those who asked for none are not among them.
  package var recipients: [ReportedRecipient]

  /// Beyond this, only the header of the message is returned, whatever RET says.  RFC 3461 §6.2.
  package static let longestReturnedMessage = 1_048_576

  package init(
    to recipient: EmailAddress, hostname: String, token: String, date: DateTime, message: ReportedMessage,
    recipients: [ReportedRecipient]
  ) {
    self.recipient = recipient
    self.hostname = hostname
    self.token = token
    self.date = date
    self.message = message
    self.recipients = recipients
  }

  /// The report for the wire: `head`, then the octets of the original in `original`, then `tail`.
  package struct Content: Sendable {
    package var head: [UInt8]
    /// Nil: nothing of it but what `head` has already.
    package var original: Range<Int>?
    package var tail: [UInt8]
    /// Header or parts have other than ASCII.
    package var isEightBit: Bool
    /// The report itself needs SMTPUTF8.
    package var isUTF8: Bool

    package var size: Int { head.count + (original?.count ?? 0) + tail.count }
  }

  /// What is true of most of the recipients decides the subject.
  private var subject: String {
    let actions = Set(recipients.map(\.note.action))
    if actions.contains(.failed) { return "Your message could not be delivered" }
    if actions.contains(.delayed) { return "Your message has not been delivered yet" }
    return actions == [.delivered] ? "Your message was delivered" : "Your message was passed on"
  }

  /// RFC 6533 §5: in UTF-8 where the message was, or its sender could not be written to otherwise.
  private var isUTF8: Bool { message.isUTF8 || recipient.needsSMTPUTF8 }

  /// The message comes back whole with a failure, unless its sender asked for less or it is large; with all other
  /// reports its header does.  RFC 3461 §4.3.
  private var returnsAll: Bool {
    recipients.contains { $0.note.action == .failed } && message.returnedContent != .headers
      && message.size <= Self.longestReturnedMessage
  }

  package var content: Content {
    let text = Array(ReportText(report: self).text.utf8)
    let textIsEightBit = text.contains { $0 >= 0x80 }
    let status = DeliveryStatus(report: self, isUTF8: isUTF8).encoded
    let isEightBit =
      status.contains { $0 >= 0x80 } || (returnsAll ? message.isEightBit : message.header.contains { $0 >= 0x80 })
    let boundary = "report-\(token)"

    var head: [UInt8] = []
    func line(_ text: String) { head.append(text: text + "\r\n") }
    line("From: Mail Delivery <postmaster@\(hostname)>")
    line("To: <\(recipient)>")
    line("Subject: \(subject)")
    line("Date: \(date.rfc5322)")
    line("Message-ID: <\(token)@\(hostname)>")
    if let original = message.messageID {
      line("In-Reply-To: \(original)")
      line("References: \(original)")
    }
    // RFC 3834 §5: nobody's vacation answers it.
    line("Auto-Submitted: auto-replied")
    // RFC 8689 §4.3: who would rather have the message arrive would rather have its report, too.
    if message.forgoesTLS { line("TLS-Required: No") }
    line("MIME-Version: 1.0")
    line("Content-Type: multipart/report; report-type=delivery-status;")
    line("\tboundary=\"\(boundary)\"")
    if isEightBit { line("Content-Transfer-Encoding: 8bit") }
    line("")
    line("--\(boundary)")
    line("Content-Type: text/plain; charset=utf-8")
    if textIsEightBit { line("Content-Transfer-Encoding: quoted-printable") }
    line("")
    head += textIsEightBit ? QuotedPrintable.encode(text) : text
    line("")
    line("--\(boundary)")
    line("Content-Type: message/\(isUTF8 ? "global-" : "")delivery-status")
    if status.contains(where: { $0 >= 0x80 }) { line("Content-Transfer-Encoding: 8bit") }
    line("")
    head += status
    line("")
    line("--\(boundary)")
    if returnsAll {
      line("Content-Type: message/\(message.isUTF8 ? "global" : "rfc822")")
    } else {
      line("Content-Type: \(message.isUTF8 ? "message/global-headers" : "text/rfc822-headers")")
    }
    if returnsAll ? message.isEightBit : message.header.contains(where: { $0 >= 0x80 }) {
      line("Content-Transfer-Encoding: 8bit")
    }
    line("")
    if !returnsAll { head += message.header }
    return Content(
      head: head, original: returnsAll ? 0..<message.size : nil, tail: Array("\r\n--\(boundary)--\r\n".utf8),
      isEightBit: isEightBit, isUTF8: isUTF8)
  }
}
