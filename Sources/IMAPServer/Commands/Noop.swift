import Bytes

/// `NOOP`: a moment to be told of changes.  RFC 9051 §6.1.2.
struct Noop: AnyStateCommand, WithoutArguments {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion { Completion("Done") }
}

/// `CHECK`: all that is acknowledged is on disk already.  RFC 3501 §6.4.1.
struct Check: SelectedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    Completion("Done")
  }
}
