import Bytes

/// `class.subject.detail`.  RFC 3463, RFC 2034.
package struct EnhancedStatus: Hashable, Sendable, CustomStringConvertible {
  package let category: UInt16
  package let subject: UInt16
  package let detail: UInt16

  package init(_ category: UInt16, _ subject: UInt16, _ detail: UInt16) {
    self.category = category
    self.subject = subject
    self.detail = detail
  }

  package var description: String { "\(category).\(subject).\(detail)" }
}

/// One reply: a code, an enhanced status, and at least one line of text.  RFC 5321 §4.2.
///
/// The same value is read from a server and written to a client.
package struct SMTPReply: Hashable, Sendable, CustomStringConvertible {
  /// 200…599.
  package var code: UInt16
  /// Repeated on every line (RFC 2034 §4). Greetings, EHLO answers, 334 and 354 have none.
  package var status: EnhancedStatus?
  /// Without line ends; text is printable ASCII, or UTF-8 where the client has asked for SMTPUTF8.
  package var lines: [String]

  package init(_ code: UInt16, _ status: EnhancedStatus?, _ lines: [String]) {
    self.code = code
    self.status = status
    self.lines = lines.isEmpty ? [""] : lines
  }

  /// `SMTPReply(550, 5, 1, 1, "No such user")`.
  package init(_ code: UInt16, _ category: UInt16, _ subject: UInt16, _ detail: UInt16, _ text: String) {
    self.init(code, EnhancedStatus(category, subject, detail), [text])
  }

  /// In one line, for logs and reports: `550 5.1.1 No such user`.
  package var description: String {
    let text = lines.joined(separator: " ")
    return "\(code)\(status.map { " \($0)" } ?? "")\(text.isEmpty ? "" : " " + text)"
  }

  /// 2xx: what was asked is done.
  package var isCompletion: Bool { code >= 200 && code < 300 }
  /// 2xx and 3xx: what was asked is being done.
  package var isPositive: Bool { code < 400 }
  /// 4xx: the same command may succeed later.
  package var isTransient: Bool { code >= 400 && code < 500 }

  /// 5xx: the same command would fail again.
  package var isPermanentFailure: Bool { code >= 500 }

  /// Writes all lines with their line ends: `250-…`, `250 …`.
  package func append(to output: inout [UInt8]) {
    for (index, line) in lines.enumerated() {
      output.append(decimal: code)
      output.append(index == lines.count - 1 ? 0x20 : 0x2D)
      if let status {
        output.append(decimal: status.category)
        output.append(0x2E)
        output.append(decimal: status.subject)
        output.append(0x2E)
        output.append(decimal: status.detail)
        output.append(0x20)
      }
      output.append(text: line)
      output.append(0x0D)
      output.append(0x0A)
    }
  }
}
