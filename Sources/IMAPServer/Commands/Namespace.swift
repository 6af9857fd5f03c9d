import Authentication
import Bytes

/// `NAMESPACE`: the user's own mailboxes are all there is.  RFC 9051 §6.3.10, RFC 2342.
struct Namespace: AuthenticatedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    session.output.append("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n")
    return Completion("Done")
  }
}
