import Bytes
import Cryptography
import DNS
package import MessageFormat
import Networking
import SMTP
import Zlib

/// The report of one day on TLS with the servers of one domain.  RFC 8460 §4, §5.
package struct TLSReport: Sendable {
  /// Who makes reports.
  package struct Submitter: Hashable, Sendable {
    /// Whom to ask about them; they come from there. In a domain of ours, whose keys sign them.
    package var contact: EmailAddress
    package var organization: String
    /// The name of this server, which tells its reports from those of another of the same organization.
    package var hostname: Domain

    package init(contact: EmailAddress, organization: String, hostname: Domain) {
      self.contact = contact
      self.organization = organization
      self.hostname = hostname
    }
  }

  package let submitter: Submitter
  package let day: UTCDay
  package let tally: TLSTally

  package init(_ tally: TLSTally, of day: UTCDay, from submitter: Submitter) {
    self.tally = tally
    self.day = day
    self.submitter = submitter
  }

  /// The same whenever this report is made, so that one that comes twice is known.  RFC 8460 §5.3.
  package var id: String { "\(day).\(tally.domain)@\(ascii(submitter.hostname))" }

  package var successes: Int { tally.entries.reduce(0) { $0 + $1.successes } }
  package var failures: Int { tally.entries.reduce(0) { $0 + $1.failed } }

  private var submitterDomain: String { ascii(submitter.contact.domain) }

  /// RFC 8460 §5.1.
  package var fileName: String {
    let unique = hexadecimal(digest(Array(id.utf8), .sha256).prefix(4))
    let (begin, end) = (day.start.seconds, day.end.seconds - 1)
    return "\(submitterDomain)!\(tally.domain)!\(begin)!\(end)!\(unique).json.gz"
  }

  package static let mediaType = "application/tlsrpt+gzip"

  package var file: [UInt8] { gzip(json) }

  /// RFC 8460 §4.4.
  package var json: [UInt8] {
    JSON.object([
      ("organization-name", .text(submitter.organization)),
      (
        "date-range",
        .object([("start-datetime", .text("\(day)T00:00:00Z")), ("end-datetime", .text("\(day)T23:59:59Z"))])
      ),
      ("contact-info", .text("\(submitter.contact)")),
      ("report-id", .text(id)),
      ("policies", .list(tally.entries.map(\.json))),
    ]).encoded
  }

  /// RFC 8460 §5.3.
  /// - Parameter token: what nobody can guess, letters and digits.
  package func letter(to recipient: EmailAddress, token: String, date: DateTime) -> OwnMail.Letter {
    let boundary = "tlsrpt-\(token)"
    let text = """
      This is a report of the mail server \(ascii(submitter.hostname)) on TLS with the servers of\r
      \(tally.domain), on \(day) (UTC).\r
      \r
      Sessions with TLS as it should be: \(successes)\r
      Others: \(failures)\r
      \r
      The file is for programs: RFC 8460 says what is in it.\r

      """
    var head: [UInt8] = []
    func line(_ text: String) { head.append(text: text + "\r\n") }
    line("From: <\(submitter.contact)>")
    line("To: <\(recipient)>")
    line("Subject: Report Domain: \(tally.domain)")
    line(" Submitter: \(submitterDomain)")
    line(" Report-ID: <\(id)>")
    line("Date: \(date.rfc5322)")
    line("Message-ID: <\(token)@\(ascii(submitter.hostname))>")
    line("TLS-Report-Domain: \(tally.domain)")
    line("TLS-Report-Submitter: \(submitterDomain)")
    line("Auto-Submitted: auto-generated")
    line("MIME-Version: 1.0")
    line("Content-Type: multipart/report; report-type=\"tlsrpt\";")
    line("\tboundary=\"\(boundary)\"")
    line("")
    line("--\(boundary)")
    line("Content-Type: text/plain; charset=us-ascii")
    line("")
    head.append(text: text)
    line("")
    line("--\(boundary)")
    line("Content-Type: \(Self.mediaType)")
    line("Content-Transfer-Encoding: base64")
    line("Content-Disposition: attachment;")
    line("\tfilename=\"\(fileName)\"")
    line("")
    head += Base64.encode(file, lineLength: 76)
    line("--\(boundary)--")
    var letter = OwnMail.Letter(to: recipient, from: submitter.contact.domain, head: head)
    letter.parameters.usesUTF8 = recipient.needsSMTPUTF8 || submitter.contact.needsSMTPUTF8
    // RFC 8460 §5.3.1: what is wrong with TLS must not keep the news of it.
    letter.assurance = .any
    return letter
  }
}

/// RFC 8460 §4.4: names are in A-labels.
private func ascii(_ domain: Domain) -> String { domain.asciiText ?? domain.text }

extension TLSTally.Entry {
  fileprivate var json: JSON {
    var policy: [(name: String, value: JSON)] = [("policy-type", .text(self.policy.kind.rawValue))]
    if !self.policy.strings.isEmpty { policy.append(("policy-string", .list(self.policy.strings.map { .text($0) }))) }
    policy.append(("policy-domain", .text(self.policy.domain.text)))
    if !self.policy.hostPatterns.isEmpty {
      policy.append(("mx-host", .list(self.policy.hostPatterns.map { .text($0) })))
    }
    var members: [(name: String, value: JSON)] = [
      ("policy", .object(policy)),
      (
        "summary",
        .object([
          ("total-successful-session-count", .number(successes)), ("total-failure-session-count", .number(failed)),
        ])
      ),
    ]
    if !failures.isEmpty {
      // The same report is the same file.
      let details = failures.map { (order: $0.key.order, json: $0.key.json(times: $0.value)) }
      members.append(("failure-details", .list(details.sorted { $0.order < $1.order }.map(\.json))))
    }
    return .object(members)
  }
}

extension TLSTally.Failure {
  fileprivate var order: String {
    [kind.rawValue, host?.text ?? "", hostAddress?.description ?? "", ownAddress?.description ?? "", reason]
      .joined(separator: "\t")
  }

  fileprivate func json(times: Int) -> JSON {
    var members: [(name: String, value: JSON)] = [("result-type", .text(kind.rawValue))]
    if let ownAddress { members.append(("sending-mta-ip", .text("\(ownAddress)"))) }
    if let host { members.append(("receiving-mx-hostname", .text(host.text))) }
    if let hostAddress { members.append(("receiving-ip", .text("\(hostAddress)"))) }
    members.append(("failed-session-count", .number(times)))
    if !reason.isEmpty { members.append(("failure-reason-code", .text(reason))) }
    return .object(members)
  }
}
