import Bytes

/// `CAPABILITY`.  RFC 9051 §6.1.1.
struct CapabilityCommand: AnyStateCommand, WithoutArguments {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    session.output.append("* CAPABILITY ")
    session.output.append(text: session.capabilities)
    session.output.endLine()
    return Completion("That is what there is")
  }
}
