package import Authentication
package import Cryptography
package import Logging
package import MailStore
package import MessageFormat
package import Networking

/// Everything a session is given.
package struct POP3Services: Sendable {
  package var store: MailStore
  package var authenticator: Authenticator
  /// Which maildrops are open: one session at a time.  RFC 1939 §3.
  package var maildrops: MaildropLocks
  /// Nil: STLS is not offered.
  package var tls: TLSServerContext?
  package var hostname: String
  package var clock: WallClock
  package var logger: Logger
  package var allowsPlaintextAuthentication: Bool
  package init(
    store: MailStore, authenticator: Authenticator, maildrops: MaildropLocks, tls: TLSServerContext?, hostname: String,
    clock: WallClock, logger: Logger, allowsPlaintextAuthentication: Bool = false
  ) {
    self.store = store
    self.authenticator = authenticator
    self.maildrops = maildrops
    self.tls = tls
    self.hostname = hostname
    self.clock = clock
    self.logger = logger
    self.allowsPlaintextAuthentication = allowsPlaintextAuthentication
  }
}

/// The exclusive locks on maildrops.
package final class MaildropLocks: Sendable {
  package init() {}
}

/// One POP3 dialogue.
package struct POP3Session {
  package init(connection: Connection, services: POP3Services) { fatalError("skeleton") }
  /// Runs until QUIT or the end of input.
  package mutating func run() async { fatalError("skeleton") }
}
