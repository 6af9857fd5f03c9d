package import Logging
package import MailStore
package import MessageFormat

/// Everything that decides how the server starts. State that changes while it runs (domains, accounts, aliases) is not
/// here: it lives in the data directory.
package struct Configuration: Sendable {
  /// The server's own full name: greetings, trace fields, the certificate it makes for itself. Nil until something sets it.
  package var hostname: Domain?
  /// A domain that is made at start if the store does not have it.
  package var domain: Domain?
  package var dataDirectory = "/var/lib/martlet"
  package var listeners = ListenerService.standard.map { ListenerSetting(service: $0) }
  /// Empty: the server makes a self-signed certificate and keeps it in the data directory.
  package var certificates: [CertificateFiles] = []
  /// PEM file of the authorities whose client certificates log in by SASL EXTERNAL. Nil: clients are not asked for one.
  package var clientAuthorities: String?
  package var limits = ServerLimits()
  /// How long deleted messages can be restored.
  package var keepDeleted: Duration = .seconds(30 * 86_400)
  /// What an account may send to other servers, where it has no limits of its own.
  package var sendingLimits = SendingLimits.standard
  package var outbound = OutboundConfiguration()
  /// SOLICIT keywords of messages that are refused, in lower case.  RFC 3865.
  package var refusedSolicitations: [String] = []
  package var log = LogSettings()

  package init() {}
}

/// A certificate with its chain, and its private key, both PEM files.
package struct CertificateFiles: Hashable, Sendable {
  package var chain: String
  package var key: String
  package init(chain: String, key: String) {
    self.chain = chain
    self.key = key
  }
}

/// Bounds that an operator may want to move; those that a protocol or an attack sets are in the protocols' own targets.
package struct ServerLimits: Hashable, Sendable {
  /// Octets of one message, over SMTP (SIZE, RFC 1870), IMAP (APPENDLIMIT, RFC 7889) and by an import.
  package var messageSize = 50 << 20
  /// Recipients of one SMTP transaction; RFC 5321 §4.5.3.1.8 asks for at least 100.
  package var recipients = 1_000
  /// Connections a listener keeps open at once.
  package var connections = 15_000
  /// The same from one IPv4 address or one IPv6 /64.
  package var connectionsPerAddress = 1_000
  /// Octets of messages on their way in that may be in memory, over all connections.
  package var bodiesInMemory = 64 << 20
  /// How long a stop waits for messages in flight.
  package var stopWithin: Duration = .seconds(25)
}

package struct LogSettings: Hashable, Sendable {
  package var level: Logger.Level = .info
  package var format: LogFormat = .logfmt
  /// Protocol dialogues in the log, without secrets and bodies.
  package var trace = false

  /// The level that loggers are really given.
  package var effectiveLevel: Logger.Level { trace ? .trace : level }
}
