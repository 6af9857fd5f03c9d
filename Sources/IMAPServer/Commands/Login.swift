import Authentication
import Bytes
import Logging

/// `LOGIN`: the same check and the same failure policy as PLAIN.  RFC 9051 §6.2.3.
struct Login: NotAuthenticatedCommand {
  let name: [UInt8]
  let password: [UInt8]

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    name = try arguments.astring()
    try arguments.expectSpace()
    password = try arguments.astring()
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    let context = session.authenticationContext
    guard session.services.authenticator.allowsPlaintext(context) else { throw .privacyRequired }
    guard let name = String(validating: name, as: UTF8.self) else { throw .authentication(.invalidCredentials) }
    switch await session.services.authenticator.verify(name: name, password: password, context) {
    case .success(let account): return session.logIn(account)
    case .failure(let failure): throw session.noteFailedLogin(failure)
    }
  }
}

extension IMAPSession {
  /// RFC 9051 §6.2.2: the capabilities may differ now, so they come with the reply.
  mutating func logIn(_ account: AuthenticatedAccount) -> Completion {
    state = .authenticated(account)
    logger[metadataKey: "user"] = "\(account.name)"
    return Completion(.capability(capabilities), "Logged in")
  }

  mutating func noteFailedLogin(_ failure: AuthenticationFailure) -> IMAPFailure {
    failedLogins += 1
    return .authentication(failure)
  }
}
