import Networking

extension POP3Command {
  /// The dialogue begins anew under TLS: what was said before, and what was sent with the command, is forgotten.
  static let startTLS = POP3Command(
    "STLS", "RFC 2595 §4",
    .authorization { session, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      guard session.connection.tls == nil else { throw .tlsIsActive }
      guard let tls = session.services.tls else { throw .tlsNotOffered }
      session.reply("begin TLS")
      try await session.flush()
      do throws(ConnectionError) {
        _ = try await session.connection.startTLS(tls, timeout: session.services.limits.handshakeTime)
      } catch {
        throw .tlsFailed(error)
      }
      session.state = .authorization(user: nil)
      session.isUTF8 = false
    })
}
