import Authentication
import Cryptography
import Networking
import SMTP

extension SMTPSession {
  /// What EHLO and LHLO announce now: only what works here, and only what may be used at this moment.
  ///
  var capabilities: [SMTPExtension] {
    var list: [SMTPExtension] = [
      .pipelining, .size(services.limits.messageSize), .eightBitMIME, .smtpUTF8, .enhancedStatusCodes, .chunking,
      .binaryMIME, .noSoliciting, .limits(recipients: services.limits.recipients),
    ]
    list += requestsTaken
    if canStartTLS { list.append(.startTLS) }
    let mechanisms = availableMechanisms
    if !mechanisms.isEmpty { list.append(.auth(mechanisms)) }
    return list
  }

  var canStartTLS: Bool { services.tls != nil && connection.tls == nil }

  /// Empty where AUTH is not for this role or not possible on this connection.
  var availableMechanisms: [String] {
    guard role == .submission, account == nil else { return [] }
    return services.authenticator.mechanisms(for: authenticationContext)
  }

  var authenticationContext: AuthenticationContext {
    let ip = connection.remoteAddress.ip
    return AuthenticationContext(
      service: .smtp, connectionID: connection.id, remoteAddress: ip?.description ?? "local",
      limitKey: ip?.limitKey.description ?? "local", tls: connection.tls,
      allowsPlaintext: services.allowsPlaintextAuthentication)
  }
}
