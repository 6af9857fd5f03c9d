import MessageFormat
import SMTP

/// The part of a report that people read: what happened, to whom it was, the other server's words, what to do.
struct ReportText {
  let report: DeliveryReport

  /// Lines ended by CRLF; ASCII but for what the message and other servers bring in.
  var text: String {
    var lines = ["This is the mail server \(report.hostname)."]
    for action in ReportAction.allCases {
      let recipients = report.recipients.filter { $0.note.action == action }
      guard !recipients.isEmpty else { continue }
      lines += [""] + Self.opening(action, count: recipients.count)
      for recipient in recipients { lines += [""] + Self.lines(recipient) }
    }
    lines += [""] + message
    return lines.map { $0 + "\r\n" }.joined()
  }

  private static func opening(_ action: ReportAction, count: Int) -> [String] {
    switch action {
    case .failed:
      [
        "Your message could not be delivered to \(count == 1 ? "this address" : "these \(count) addresses").",
        "It will not be tried again.",
      ]
    case .delayed:
      [
        "Your message has not been delivered yet to \(count == 1 ? "this address" : "these \(count) addresses").",
        "It is tried on; you need not do anything, and should not send it again.",
      ]
    case .delivered: ["Your message was delivered to:"]
    case .relayed:
      [
        "Your message was handed on to a server that does not tell what becomes of it.",
        "Unless it reports a failure, you will hear no more of:",
      ]
    case .expanded: ["Your message was passed on to the members of this list. Of them you will hear no more:"]
    }
  }

  private static func lines(_ recipient: ReportedRecipient) -> [String] {
    let note = recipient.note
    var lines = ["  <\(recipient.address)>"]
    if let original = recipient.original.map({ String(decoding: $0.address, as: UTF8.self) }),
      original != recipient.address.description
    {
      lines.append("    You wrote to \(line(original)).")
    }
    if let reply = note.reply {
      lines.append("    \(note.host.map { "The server \(line($0))" } ?? "The server") said:")
      lines += wrapped(reply, indent: "      ")
    } else if let explanation = note.explanation {
      if let host = note.host { lines.append("    With the server \(line(host)):") }
      lines += wrapped(explanation, indent: "    ")
    }
    if note.action == .failed || note.action == .delayed, let advice = ReportAdvice.advice(for: note.status) {
      lines += wrapped(advice, indent: "    ")
    }
    if let until = recipient.triesUntil { lines.append("    It is tried until \(until.rfc5322).") }
    return lines
  }

  private var message: [String] {
    var lines = ["The message:"]
    if let subject = report.message.subject { lines += Self.wrapped("Subject: \(subject)", indent: "  ") }
    if let messageID = report.message.messageID { lines.append("  Message-ID: \(messageID)") }
    if let arrived = report.message.arrived { lines.append("  Received here: \(arrived.rfc5322)") }
    lines.append("  Size: \(report.message.size) octets")
    return lines
  }

  /// RFC 5322 §2.1.1: with its indentation shorter than 998 octets.
  private static func line(_ text: String) -> String { text.singleLine(upTo: 900) }

  /// Lines of some 76 characters; a word that is longer has one of its own.
  private static func wrapped(_ text: String, indent: String) -> [String] {
    var lines: [String] = []
    var current = ""
    for word in line(text).split(separator: " ") {
      if !current.isEmpty, indent.count + current.count + 1 + word.count > 76 {
        lines.append(indent + current)
        current = ""
      }
      current += (current.isEmpty ? "" : " ") + word
    }
    if !current.isEmpty { lines.append(indent + current) }
    return lines
  }
}
