/// What a server says after EHLO, one line each.  RFC 5321 §4.1.1.1.
package enum SMTPExtension: Hashable, Sendable, CustomStringConvertible {
  /// RFC 2920.
  case pipelining
  /// RFC 1870: the greatest message in octets; 0 where the server does not say.
  case size(Int)
  /// RFC 6152.
  case eightBitMIME
  /// RFC 6531.
  case smtpUTF8
  /// RFC 2034.
  case enhancedStatusCodes
  /// RFC 3030.
  case chunking
  case binaryMIME
  /// RFC 3207.
  case startTLS
  /// RFC 4954: names of SASL mechanisms.
  case auth([String])
  /// RFC 9422: recipients in one transaction, transactions in one session.
  case limits(recipients: Int?, transactions: Int? = nil)
  /// RFC 3461.
  case dsn
  /// RFC 8689.
  case requireTLS
  /// RFC 2852: the least time in seconds that the server takes on.
  case deliverBy(minimum: Int?)
  /// RFC 6710: the name of the policy by which it orders, where the server says one.
  case priority(policy: String?)
  /// RFC 4865: the longest time in seconds that the server holds a message back, and the last moment as it is written.
  case futureRelease(longest: Int?, latest: String?)
  /// RFC 3865: SOLICIT is understood.
  case noSoliciting

  /// The line as it stands after `250-`.
  package var description: String {
    switch self {
    case .pipelining: "PIPELINING"
    case .size(let octets): "SIZE \(octets)"
    case .eightBitMIME: "8BITMIME"
    case .smtpUTF8: "SMTPUTF8"
    case .enhancedStatusCodes: "ENHANCEDSTATUSCODES"
    case .chunking: "CHUNKING"
    case .binaryMIME: "BINARYMIME"
    case .startTLS: "STARTTLS"
    case .auth(let mechanisms): "AUTH \(mechanisms.joined(separator: " "))"
    case .limits(let recipients, let transactions):
      "LIMITS" + (recipients.map { " RCPTMAX=\($0)" } ?? "") + (transactions.map { " MAILMAX=\($0)" } ?? "")
    case .dsn: "DSN"
    case .requireTLS: "REQUIRETLS"
    case .deliverBy(let minimum): "DELIVERBY" + (minimum.map { " \($0)" } ?? "")
    case .priority(let policy): "MT-PRIORITY" + (policy.map { " \($0)" } ?? "")
    case .futureRelease(let longest, let latest):
      "FUTURERELEASE" + (longest.map { " \($0)" } ?? "") + (latest.map { " \($0)" } ?? "")
    case .noSoliciting: "NO-SOLICITING"
    }
  }
}
