import Authentication

extension POP3Command {
  /// The password is the rest of the line with its spaces.  RFC 1939 §7.
  static let password = POP3Command(
    "PASS", "RFC 1939 §7",
    .authorization { session, arguments throws(POP3Failure) in
      guard case .authorization(let user?) = session.state else { throw .userIsMissing }
      session.state = .authorization(user: nil)
      let context = session.authenticationContext
      guard session.services.authenticator.allowsPlaintext(context) else { throw .needsTLS }
      // RFC 6856 §2.2: names and passwords are UTF-8.
      guard let name = String(validating: user, as: UTF8.self) else { throw .authentication(.invalidCredentials) }
      // Delays for failures are spent here: what was said before should not wait for them.
      try await session.flush()
      switch await session.services.authenticator.verify(name: name, password: Array(arguments.text), context) {
      case .success(let account): try await session.enter(account)
      case .failure(let failure): throw .authentication(failure)
      }
    })
}
