import Bytes
import MailStore

/// `MOVE` and `UID MOVE`.  RFC 9051 §6.4.8, RFC 6851.
struct Move: SelectedCommand {
  let arguments: CopyArguments

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    self.arguments = try CopyArguments(parsing: &arguments, context)
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    guard mailbox.access == .readWrite else { throw .readOnly }
    let uids = try arguments.uids(in: mailbox)
    if uids.isEmpty { return Completion("No messages") }
    let destination = try arguments.destination.resolved()
    let result: CopyResult
    do throws(StoreError) {
      result = try await session.services.store.move(
        uids, from: mailbox.id, to: destination, of: mailbox.account)
    } catch {
      throw .destination(error)
    }
    // RFC 6851 §4.3: COPYUID is untagged and comes before the EXPUNGEs, which are the session's updates.
    if let code = result.code { session.output.appendUntagged("OK", code, "Moved") }
    return Completion("Done")
  }
}
