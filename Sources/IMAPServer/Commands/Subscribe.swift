import Authentication
import Bytes
import MailStore

/// `SUBSCRIBE`: to a name, whether or not a mailbox has it.  RFC 9051 §6.3.7.
struct Subscribe: AuthenticatedCommand {
  let mailbox: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    let name = try mailbox.resolved()
    try await fromStore(await session.services.store.setSubscribed(true, name, of: account.id))
    return Completion("Subscribed")
  }
}

/// `UNSUBSCRIBE`.  RFC 9051 §6.3.8.
struct Unsubscribe: AuthenticatedCommand {
  let mailbox: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    let name = try mailbox.resolved()
    try await fromStore(await session.services.store.setSubscribed(false, name, of: account.id))
    return Completion("Unsubscribed")
  }
}
