import Authentication
import Bytes
import MailStore

/// `STATUS`.  RFC 9051 §6.3.11. Of the selected mailbox too: clients ask, and the answer is what the store has.
struct Status: AuthenticatedCommand {
  let mailbox: MailboxArgument
  let items: [StatusItem]

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    try arguments.expectSpace()
    items = try arguments.statusItems()
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    guard case .name(let name) = mailbox,
      let found = try await fromStore(await session.services.store.mailbox(named: name, of: account.id))
    else { throw .store(.mailboxNotFound) }
    guard found.isSelectable else { throw .store(.mailboxNotSelectable) }
    try await session.appendStatus(items, of: found)
    return Completion("Done")
  }
}
