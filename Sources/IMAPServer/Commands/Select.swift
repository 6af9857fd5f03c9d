import Authentication
import Bytes
import MailStore
import Networking

/// `SELECT`.  RFC 9051 §6.3.2, RFC 3501 §6.3.1.
struct Select: AuthenticatedCommand {
  let mailbox: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    mailbox = try selectArguments(&arguments, context)
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    try await session.select(mailbox, .readWrite, as: account)
  }
}

/// `EXAMINE`: the same, and nothing can be changed.  RFC 9051 §6.3.3.
struct Examine: AuthenticatedCommand {
  let mailbox: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    mailbox = try selectArguments(&arguments, context)
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    try await session.select(mailbox, .readOnly, as: account)
  }
}

/// `SP mailbox`. There is no `select-param` (RFC 4466 §2.4) that we have announced, so one is a client's error.
private func selectArguments(_ arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError)
  -> MailboxArgument
{
  try arguments.expectSpace()
  let mailbox = try arguments.mailbox(context.mailboxNames)
  try arguments.expectEnd()
  return mailbox
}

extension IMAPSession {
  fileprivate mutating func select(
    _ argument: MailboxArgument, _ access: SelectedMailbox.Access, as account: AuthenticatedAccount
  ) async throws(IMAPFailure) -> Completion {
    // RFC 9051 §6.3.2: the mailbox that was selected is closed first, whether or not the new one can be opened.
    if state.mailbox != nil {
      state = .authenticated(account)
      output.appendUntagged("OK", .closed, "The previous mailbox is closed")
    }
    guard case .name(let name) = argument else { throw .store(.mailboxNotFound) }
    let store = services.store
    guard let found = try await fromStore(await store.mailbox(named: name, of: account.id)) else {
      throw .store(.mailboxNotFound)
    }
    guard found.isSelectable else { throw .store(.mailboxNotSelectable) }
    // Subscribed first: what happens between the two is told twice rather than never, and the second time is noticed.
    let subscription = store.subscribe(to: account.id) { [connection] in connection.interrupt() }
    let index = try await fromStore(await store.index(of: found.id))
    let firstRecent = access == .readWrite ? store.claimRecent(in: found.id) : index.mailbox.firstRecent
    let mailbox = SelectedMailbox(index: index, access: access, firstRecent: firstRecent, subscription: subscription)

    appendFlags(of: mailbox)
    appendCounts(of: mailbox)
    if !speaksRev2, let first = mailbox.firstUnseen {
      output.append("* OK [UNSEEN ")
      output.append(number: first)
      output.append("] The first that is unseen\r\n")
    }
    output.append("* OK [UIDVALIDITY ")
    output.append(number: mailbox.uidValidity.rawValue)
    output.append("] UIDs are valid\r\n* OK [UIDNEXT ")
    output.append(index.mailbox.uidNext)
    output.append("] The next UID\r\n")
    if speaksRev2 {
      output.append("* LIST () \"/\" ")
      output.append(mailbox: name.text, mailboxNames)
      output.endLine()
    }
    state = .selected(account, mailbox)
    switch access {
    case .readWrite: return Completion(.readWrite, "Selected")
    case .readOnly: return Completion(.readOnly, "Examined")
    }
  }
}

/// Asks the store; what it refuses becomes a failure of the command.
func fromStore<Value>(_ call: @autoclosure () async throws(StoreError) -> Value) async throws(IMAPFailure) -> Value {
  do throws(StoreError) {
    return try await call()
  } catch {
    throw .store(error)
  }
}
