/// What a server says after EHLO, one line each.  RFC 5321 §4.1.1.1.
package enum SMTPExtension: Hashable, Sendable, CustomStringConvertible {
  /// RFC 2920.
  case pipelining
  /// RFC 1870: the greatest message in octets.
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
  /// RFC 9422: recipients in one transaction.
  case limits(recipients: Int)

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
    case .limits(let recipients): "LIMITS RCPTMAX=\(recipients)"
    }
  }
}
