/// Every bound of a session, with the section or the attack that sets it.
package struct SMTPLimits: Sendable {
  /// SIZE: octets of a message.  RFC 1870.
  package var messageSize = 50 << 20
  /// RFC 5321 §4.5.3.1.8: at least 100. Announced as RCPTMAX (RFC 9422).
  package var recipients = 1_000
  /// Octets of a command line. RFC 5321 §4.5.3.1.4 asks for 512; extensions add some hundred each.
  package var commandLine = 4_096
  /// Octets of an AUTH line or response.  RFC 4954 §4.
  package var authenticationLine = 12_288
  /// Octets of a message's header: it is held in memory until its end.
  package var headerSize = 1 << 20
  /// Addresses in the From or Sender field of a submitted message: each of them is checked.
  package var authors = 100
  /// `Received` fields in a message: more have met a loop.  RFC 5321 §6.3.
  package var hops = 50
  /// `Delivered-To` fields for the same recipient with a mailbox here. One or two are a message that was sent on by
  /// hand; of an address that leads to other servers, one is a loop.
  package var deliveriesToSameAddress = 5
  /// How long a message may be held back.  RFC 4865 §3.
  package var longestHold = Duration.seconds(30 * 86_400)
  /// Seconds within which no delivery is promised (RFC 2852 §3): a server that has to be looked for takes a while.
  package var shortestDeliverBy = 10
  /// Errors in a session before it ends: address harvesting, and clients that do not listen.
  package var errors = 20
  /// Commands in a row that bring no message nearer: a connection held open for nothing.
  package var commandsWithoutMail = 200
  /// Password guessing within one session; over sessions the `Authenticator` counts.
  package var failedAuthentications = 5
  /// Waiting for the client.  RFC 5321 §4.5.3.2.7: at least 5 minutes.
  package var idleTime = Duration.seconds(300)
  /// One message from DATA to its end: a client may be slow, but not for ever.
  package var messageTime = Duration.seconds(2 * 3_600)
  /// A whole session.
  package var sessionTime = Duration.seconds(24 * 3_600)
  /// Finishing a TLS handshake.
  package var handshakeTime = Duration.seconds(60)
  /// How long port 25 waits before its greeting for clients that talk first (RFC 5321 §3.1 forbids it; spam senders
  /// do). Zero: it does not wait, and one that has already talked is only noted in the log.
  package var greetDelay = Duration.zero

  package init() {}
}
