import Logging
import Networking
import SMTP

extension SMTPSession {
  /// The banner.  RFC 5321 §3.1: the client waits for it, and one that doesn't is likely to send spam.
  mutating func greet() async throws(SessionEnd) {
    if role == .exchange { try await watchForEarlyTalker() }
    let service =
      switch role {
      case .exchange, .submission: "ESMTP"
      case .lmtp: "LMTP"
      }
    reply(SMTPReply(220, nil, ["\(services.hostname) \(service) Martlet"]))
    try await flush()
  }

  private mutating func watchForEarlyTalker() async throws(SessionEnd) {
    let delay = services.limits.greetDelay
    _ = connection.pollInput()
    if connection.received.isEmpty, delay > .zero {
      switch await connection.waitForInput(timeout: delay) {
      case .bytes, .interrupted, .timedOut: break
      case .ended(let end): throw .disconnected(end)
      }
    }
    guard !connection.received.isEmpty else { return }
    logger.notice("pregreet", metadata: ["rip": "\(connection.remoteAddress)"])
    if delay > .zero { throw .leave(SMTPReply(554, 5, 7, 1, "You have talked before the greeting")) }
  }
}
