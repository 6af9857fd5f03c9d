import Authentication
import Bytes

/// `AUTHENTICATE`, with an initial response or without.  RFC 9051 §6.2.2, RFC 4959.
struct Authenticate: NotAuthenticatedCommand {
  let mechanism: String
  /// `=` is an empty response.
  let initialResponse: [UInt8]?

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mechanism = try arguments.keyword()
    if !arguments.isAtEnd {
      try arguments.expectSpace()
      if arguments.isAtEnd {
        initialResponse = nil
      } else if arguments.skip(0x3D) {
        initialResponse = []
        try arguments.expectEnd()
      } else {
        let text = arguments.take { $0 != 0x20 }
        guard let response = Base64.decode(text) else { throw arguments.expected("base64") }
        initialResponse = response
        try arguments.expectEnd()
      }
    } else {
      initialResponse = nil
    }
  }

  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    let authenticator = session.services.authenticator
    guard let exchange = authenticator.begin(mechanism, session.authenticationContext) else {
      throw .mechanismNotAvailable
    }
    var response = initialResponse
    do throws(IMAPFailure) {
      while true {
        switch await exchange.step(response) {
        case .challenge(let challenge):
          response = try await ask(challenge, &session)
        case .authenticated(let account, let additionalData):
          // IMAP has no room for data in its OK: it goes as a last challenge, which the client answers with nothing.
          if let additionalData {
            guard try await ask(additionalData, &session).isEmpty else { throw .authentication(.malformed) }
          }
          return session.logIn(account)
        case .failed(let failure): throw session.noteFailedLogin(failure)
        }
      }
    } catch {
      exchange.cancel()
      throw error
    }
  }

  private func ask(_ challenge: [UInt8], _ session: inout IMAPSession) async throws(IMAPFailure) -> [UInt8] {
    session.output.append("+ ")
    session.output.append(raw: Base64.encode(challenge))
    session.output.endLine()
    // RFC 4616 and 7628 responses are short; a Kerberos ticket may take some kilobytes.
    let line = try await session.nextLine(limit: 65_536)
    if line == [0x2A] { throw .authentication(.cancelled) }
    guard let response = Base64.decode(line) else { throw .authentication(.malformed) }
    return response
  }
}
