import Bytes
import Cryptography
import Networking
import SMTP

extension ClientSession {
  /// Logs in with the best mechanism that both sides have, under TLS only.  RFC 4954.
  mutating func authenticate(_ credentials: Credentials) async throws(HostFailure) {
    guard security.isEncrypted else { throw HostFailure(.authenticate, .authenticationNeedsTLS) }
    guard
      var exchange = clientExchange(
        for: credentials, offered: offered.mechanisms, channelBinding: connection.tls?.exporterBinding)
    else { throw HostFailure(.authenticate, .noCommonMechanism) }
    var command = "AUTH \(exchange.mechanism)"
    if let response = exchange.initialResponse {
      command += " " + (response.isEmpty ? "=" : String(decoding: Base64.encode(response), as: UTF8.self))
    }
    var reply = try await ask(command, .authenticate)
    var steps = 0
    while reply.code == 334 {
      steps += 1
      guard steps <= 4, let challenge = Base64.decode(Array(reply.lines[0].utf8)) else {
        throw HostFailure(.authenticate, .outOfStep(reply))
      }
      do throws(ExchangeFailure) {
        let response = try exchange.respond(to: challenge)
        reply = try await answer(response)
      } catch {
        switch error {
        case .host(let failure): throw failure
        case .notAuthentic:
          // RFC 4954 §4: the client takes back what it began.
          _ = try await ask("*", .authenticate)
          throw HostFailure(.authenticate, .serverNotAuthentic)
        }
      }
    }
    guard reply.code == 235 else { throw refusal(.authenticate, reply) }
    guard exchange.isComplete else { throw HostFailure(.authenticate, .serverNotAuthentic) }
  }

  private mutating func answer(_ response: [UInt8]) async throws(ExchangeFailure) -> SMTPReply {
    do throws(HostFailure) {
      return try await ask(String(decoding: Base64.encode(response), as: UTF8.self), .authenticate)
    } catch {
      throw .host(error)
    }
  }
}
