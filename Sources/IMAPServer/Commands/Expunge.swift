import Bytes
import MailStore

/// `EXPUNGE`: the replies are the session's updates.  RFC 9051 §6.4.3.
struct Expunge: SelectedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    guard mailbox.access == .readWrite else { throw .readOnly }
    _ = try await fromStore(await session.services.store.expunge(in: mailbox.id, uids: nil, onlyDeleted: true))
    return Completion("Expunged")
  }
}

/// `UID EXPUNGE`: only these, and only if they are `\Deleted`.  RFC 9051 §6.4.9, RFC 4315 §2.1.
struct UIDExpunge: SelectedCommand {
  let messages: SequenceSet

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    messages = try arguments.sequenceSet()
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    guard mailbox.access == .readWrite else { throw .readOnly }
    let uids = mailbox.uids(in: try mailbox.resolve(messages, by: .uids))
    if !uids.isEmpty {
      _ = try await fromStore(await session.services.store.expunge(in: mailbox.id, uids: uids, onlyDeleted: true))
    }
    return Completion("Expunged")
  }
}
