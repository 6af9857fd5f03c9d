package import Cryptography
package import Logging
package import MailStore
package import MessageFormat

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
}

package enum CredentialPolicy: Sendable {
  /// The store decides.
  case verified
  /// `dev`: any name that is an address and any password; the account is made on demand. Only PLAIN and LOGIN are offered.
  case anyPassword
}

/// The one SASL layer. All three frontends use it, so one failure policy holds over all protocols.
package final class Authenticator: Sendable {
  package init(store: MailStore, policy: CredentialPolicy, hostname: String, clock: WallClock, logger: Logger) throws {
    fatalError("skeleton")
  }

  /// Mechanism names to announce now, strongest first.
  package func mechanisms(for context: AuthenticationContext) -> [String] { fatalError("skeleton") }
  /// Nil if the mechanism is unknown or not allowed in this context.
  package func begin(_ mechanism: String, _ context: AuthenticationContext) -> (any SASLExchange)? {
    fatalError("skeleton")
  }
  /// True if name and password may be sent as they are (LOGIN, USER/PASS, PLAIN).
  package func allowsPlaintext(_ context: AuthenticationContext) -> Bool { fatalError("skeleton") }
  /// IMAP LOGIN and POP3 USER/PASS: the same check and the same failure policy as PLAIN.
  package func verify(name: String, password: [UInt8], _ context: AuthenticationContext) async
    -> Result<AuthenticatedAccount, AuthenticationFailure>
  { fatalError("skeleton") }
}
