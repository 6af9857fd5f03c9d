package import Authentication
package import Cryptography
package import Delivery

/// What a server is to be: the configuration, and what `serve` and `dev` do differently.
package struct ServerPlan: Sendable {
  package var configuration: Configuration
  package var hostname: String
  package var credentials: CredentialPolicy = .verified
  package var unknownRecipients: UnknownRecipientPolicy = .refuse
  /// Passwords in the clear without TLS.
  package var allowsPlaintextAuthentication = false
  /// Submission takes any sender.
  package var acceptsAnySender = false
  /// Listen on the IPv6 loopback address too wherever a listener is on the IPv4 one, if the machine has it.
  package var mirrorsLoopback = false
  /// Mail for other servers is taken and sent there. Not where every address receives.
  var sendsElsewhere: Bool { configuration.outbound.isEnabled && unknownRecipients == .refuse }
  /// Made beforehand; nil: those of the configuration, or a self-signed one.
  package var certificates: [TLSServerContext.Certificate]?

  package init(configuration: Configuration, hostname: String) {
    self.configuration = configuration
    self.hostname = hostname
  }
}

/// Why the server cannot start, in words for the one who starts it.
package struct StartupError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}
