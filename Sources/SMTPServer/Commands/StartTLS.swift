import Logging
import Networking
import SMTP

extension SMTPSession {
  /// STARTTLS.  RFC 3207.
  mutating func startTLS() async throws(SessionEnd) {
    guard let tls = services.tls else { return try refuse(SMTPReply(502, 5, 5, 1, "STARTTLS is not offered here")) }
    guard connection.tls == nil else { return try refuse(SMTPReply(503, 5, 5, 1, "TLS is active already")) }
    reply(SMTPReply(220, 2, 0, 0, "Ready to start TLS"))
    try await flush()
    // RFC 3207 §4.2: what was said before is forgotten, and what was sent in plaintext after STARTTLS is dropped.
    forgetTransaction()
    state = .new
    account = nil
    do throws(ConnectionError) {
      _ = try await connection.startTLS(tls, timeout: services.limits.handshakeTime)
    } catch {
      logger.info("tls_handshake_failed", metadata: ["rip": "\(connection.remoteAddress)", "error": "\(error)"])
      throw .disconnected(.reset)
    }
  }
}
