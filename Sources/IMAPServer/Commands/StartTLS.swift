import Bytes
import Cryptography
import Logging
import Networking

/// `STARTTLS`.  RFC 9051 §6.2.1: what the client sent in plaintext behind the command is dropped.
struct StartTLS: NotAuthenticatedCommand, WithoutArguments {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    guard session.connection.tls == nil else { throw .wrongState("TLS is on already") }
    guard let context = session.services.tls else { throw .unknownCommand }
    session.output.appendTagged(session.currentTag, "OK", nil, "Begin TLS now")
    do throws(ConnectionError) {
      try await session.flush()
      let info = try await session.connection.startTLS(context, timeout: .seconds(30))
      session.logger.debug("starttls", metadata: ["version": "\(info.version)", "cipher": "\(info.cipher)"])
    } catch {
      throw .connectionLost(error)
    }
    return .replied
  }
}
