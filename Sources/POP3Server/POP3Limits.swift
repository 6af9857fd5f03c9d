/// Every bound of a session, with the section or the attack that sets it.
package struct POP3Limits: Sendable {
  /// Octets of a line. RFC 2449 §4 gives commands 255, RFC 5034 §4 lets SASL responses be as long as the mechanism needs;
  /// 12,288 is what IMAP and SMTP servers take for them (RFC 4954 §4.5).
  package var line = 12_288
  /// RFC 1939 §3: at least 10 minutes.
  package var idleTime = Duration.seconds(600)
  /// Refused commands in a row before the session ends: a client that talks another protocol.
  package var errors = 20
  /// Failed logins before the session ends. The authenticator slows them down besides, over all connections.
  package var authenticationFailures = 5
  /// How long a client may take over the TLS handshake.
  package var handshakeTime = Duration.seconds(30)
  /// Octets of replies that are collected before they are sent.
  package var outputBatch = 16_384
  /// Octets of a message that are read at a time: the memory a slow client holds.
  package var chunk = 131_072
  package init() {}
}
