package import Cryptography

/// Who is asking, and how well the connection is protected.
package struct AuthenticationContext: Sendable {
  package enum Service: String, Sendable { case smtp, imap, pop3 = "pop" }
  package var service: Service
  package var connectionID: String
  /// The client's address as text, for the log; failures are counted by `limitKey`.
  package var remoteAddress: String
  package var limitKey: String
  package var tls: TLSInfo?
  /// Plaintext mechanisms without TLS: only `dev` on loopback.
  package var allowsPlaintext: Bool
  package init(
    service: Service, connectionID: String, remoteAddress: String, limitKey: String, tls: TLSInfo?,
    allowsPlaintext: Bool
  ) {
    self.service = service
    self.connectionID = connectionID
    self.remoteAddress = remoteAddress
    self.limitKey = limitKey
    self.tls = tls
    self.allowsPlaintext = allowsPlaintext
  }

  /// The key failures are counted by. The /64 of `::1` would not be recognised as loopback.
  var countingKey: String { FailureLimiter.isLoopback(remoteAddress) ? remoteAddress : limitKey }

  /// The protocol's name in the log.
  var protocolName: String { service == .pop3 ? "pop3" : service.rawValue }
}
