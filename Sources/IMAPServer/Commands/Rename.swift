import Authentication
import Bytes
import MailStore

/// `RENAME`, with all inferiors; of INBOX, its messages alone.  RFC 9051 §6.3.6.
struct Rename: AuthenticatedCommand {
  let mailbox: MailboxArgument
  let newName: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    try arguments.expectSpace()
    newName = try arguments.mailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    guard case .name(let name) = mailbox else { throw .store(.mailboxNotFound) }
    let newName = try newName.resolved()
    try await fromStore(await session.services.store.renameMailbox(name, to: newName, of: account.id))
    return Completion("Renamed")
  }
}
