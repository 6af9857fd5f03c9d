/// The services of a server that have records of their own, with their registered ports: what stands in DNS is what the
/// world connects to, whatever port a listener has behind it.
enum MailService: CaseIterable {
  case smtp, submissions, submission, imaps, pop3s

  var port: UInt16 {
    switch self {
    case .smtp: 25
    case .submissions: 465
    case .submission: 587
    case .imaps: 993
    case .pop3s: 995
    }
  }

  /// What clients look for to set themselves up; the exchange has MX records instead.  RFC 6186 §3, RFC 8314 §5.1.
  var serviceLabels: String? {
    switch self {
    case .smtp: nil
    case .submissions: "_submissions._tcp"
    case .submission: "_submission._tcp"
    case .imaps: "_imaps._tcp"
    case .pop3s: "_pop3s._tcp"
    }
  }

  /// Where a TLSA record of the port stands, below the host's name.  RFC 6698 §3.
  var certificateLabels: String { "_\(port)._tcp" }
}
