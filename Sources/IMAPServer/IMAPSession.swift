package import Authentication
package import Cryptography
package import Logging
package import MailStore
package import MessageFormat
package import Networking

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

/// Every bound of a session, with the section or the attack that sets it.
package struct IMAPLimits: Sendable {
  /// Octets of a command line without its literals; Outlook sends UID sets of tens of kilobytes.
  package var line = 65_536
  /// APPENDLIMIT.  RFC 7889.
  package var messageSize = 50 << 20
  package init() {}
}

/// One IMAP dialogue.
package struct IMAPSession {
  package init(connection: Connection, services: IMAPServices) { fatalError("skeleton") }
  /// Runs until LOGOUT or the end of input.
  package mutating func run() async { fatalError("skeleton") }
}
