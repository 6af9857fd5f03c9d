package import Authentication
package import Cryptography
package import Logging
package import MailStore
package import MessageFormat

/// Everything a session is given.
package struct IMAPServices: Sendable {
  package var store: MailStore
  package var authenticator: Authenticator
  /// Nil: STARTTLS is not offered.
  package var tls: TLSServerContext?
  package var hostname: String
  package var clock: WallClock
  package var logger: Logger
  package var limits: IMAPLimits
  /// LOGIN and plaintext SASL without TLS (only `dev` on loopback).
  package var allowsPlaintextAuthentication: Bool
  package init(
    store: MailStore, authenticator: Authenticator, tls: TLSServerContext?, hostname: String, clock: WallClock,
    logger: Logger, limits: IMAPLimits = IMAPLimits(), allowsPlaintextAuthentication: Bool = false
  ) {
    self.store = store
    self.authenticator = authenticator
    self.tls = tls
    self.hostname = hostname
    self.clock = clock
    self.logger = logger
    self.limits = limits
    self.allowsPlaintextAuthentication = allowsPlaintextAuthentication
  }
}
