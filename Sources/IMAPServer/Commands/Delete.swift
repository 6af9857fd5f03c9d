import Authentication
import Bytes
import MailStore

/// `DELETE`.  RFC 9051 §6.3.5. Sessions that have the mailbox selected see it lose all its messages.
struct Delete: AuthenticatedCommand {
  let mailbox: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    guard case .name(let name) = mailbox else { throw .store(.mailboxNotFound) }
    try await fromStore(await session.services.store.deleteMailbox(name, of: account.id))
    return Completion("Deleted")
  }
}
