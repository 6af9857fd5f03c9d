import Authentication

extension POP3Command {
  /// Every name is welcome: only PASS tells whether it can log in.  RFC 1939 §13.
  static let user = POP3Command(
    "USER", "RFC 1939 §7",
    .authorization { session, arguments throws(POP3Failure) in
      guard session.services.authenticator.allowsPlaintext(session.authenticationContext) else { throw .needsTLS }
      guard !arguments.isEmpty else { throw .syntax("name is missing") }
      session.state = .authorization(user: Array(arguments.text))
      session.reply("password, please")
    })
}
