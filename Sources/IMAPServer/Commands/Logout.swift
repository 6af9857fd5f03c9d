import Bytes

/// `LOGOUT`.  RFC 9051 §6.1.3.
struct Logout: AnyStateCommand, WithoutArguments {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    session.output.appendUntagged("BYE", nil, "Goodbye")
    session.output.appendTagged(session.currentTag, "OK", nil, "Logged out")
    session.state = .loggedOut
    return .replied
  }
}
