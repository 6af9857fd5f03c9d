import Bytes
import MessageFormat
import SMTP

/// The part of a report that programs read.  RFC 3464 §2, RFC 6533 §3.
struct DeliveryStatus {
  let report: DeliveryReport
  /// The form in UTF-8, `message/global-delivery-status`.
  let isUTF8: Bool

  var encoded: [UInt8] {
    var output: [UInt8] = []
    if let envelopeID = report.message.envelopeID { field("Original-Envelope-Id", envelopeID, &output) }
    field("Reporting-MTA", "dns; \(report.hostname)", &output)
    if let arrived = report.message.arrived { field("Arrival-Date", arrived.rfc5322, &output) }
    if let deliverBy = report.message.deliverBy { field("Deliver-By-Date", deliverBy.rfc5322, &output) }
    for recipient in report.recipients {
      output += [0x0D, 0x0A]
      append(recipient, &output)
    }
    return output
  }

  private func append(_ recipient: ReportedRecipient, _ output: inout [UInt8]) {
    if let original = recipient.original { field("Original-Recipient", address(original), &output) }
    let final = recipient.address
    field(
      "Final-Recipient",
      address(
        .init(type: final.needsSMTPUTF8 ? "utf-8" : "rfc822", address: Array(final.description.utf8))), &output)
    field("Action", recipient.note.action.rawValue, &output)
    field("Status", recipient.note.status.description, &output)
    // A name of DNS; the address and the port behind it are for people.
    if let host = recipient.note.host { field("Remote-MTA", "dns; \(host.prefix { $0 != "[" })", &output) }
    if let reply = recipient.note.reply { field("Diagnostic-Code", "smtp; \(reply)", &output) }
    if let lastAttempt = recipient.lastAttempt { field("Last-Attempt-Date", lastAttempt.rfc5322, &output) }
    if recipient.note.action == .delayed, let until = recipient.triesUntil {
      field("Will-Retry-Until", until.rfc5322, &output)
    }
  }

  /// `rfc822; joe@example.com`: the encoding of ORCPT is for commands, and gone here; that of type `utf-8` stays where
  /// the part is ASCII.
  private func address(_ recipient: RecipientParameters.OriginalRecipient) -> [UInt8] {
    let type = recipient.type.lowercased()
    guard type == "utf-8", let text = String(validating: recipient.address, as: UTF8.self) else {
      return Array((type + "; ").utf8) + recipient.address
    }
    return Array("utf-8; ".utf8) + (isUTF8 ? UTF8AddressText.unicode(text) : UTF8AddressText.ascii(text))
  }

  private func field(_ name: String, _ body: String, _ output: inout [UInt8]) { field(name, Array(body.utf8), &output) }

  /// Folded at spaces; without what would end the field, and in ASCII where the part must be.
  private func field(_ name: String, _ body: [UInt8], _ output: inout [UInt8]) {
    output.append(text: "\(name):")
    var column = name.utf8.count + 1
    let safe = body.prefix(4_096).map { byte in
      byte < 0x20 || byte == 0x7F ? 0x20 : byte >= 0x80 && !isUTF8 ? UInt8(ascii: "?") : byte
    }
    for word in safe.split(separator: 0x20) {
      if column + 1 + word.count > 76, column > name.utf8.count + 1 {
        output += [0x0D, 0x0A, 0x20]
        column = 1
      } else {
        output.append(0x20)
        column += 1
      }
      // RFC 5322 §2.1.1: no line is longer than 998 octets.
      output += word.prefix(900)
      column += word.count
    }
    output += [0x0D, 0x0A]
  }
}
