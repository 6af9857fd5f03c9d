import Bytes
import MailStore

/// `COPY` and `UID COPY`.  RFC 9051 §6.4.7, RFC 4315 §3.
struct Copy: SelectedCommand {
  let arguments: CopyArguments

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    self.arguments = try CopyArguments(parsing: &arguments, context)
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    let uids = try arguments.uids(in: mailbox)
    if uids.isEmpty { return Completion("No messages") }
    let destination = try arguments.destination.resolved()
    let result: CopyResult
    do throws(StoreError) {
      result = try await session.services.store.copy(
        uids, from: mailbox.id, to: destination, of: mailbox.account)
    } catch {
      throw .destination(error)
    }
    guard let code = result.code else { return Completion("Nothing left to copy") }
    return Completion(code, "Copied")
  }
}

/// `SP sequence-set SP mailbox`.
struct CopyArguments: Sendable {
  let messages: SequenceSet
  let numbering: MessageNumbering
  let destination: MailboxArgument

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    numbering = context.numbering
    try arguments.expectSpace()
    messages = try arguments.sequenceSet()
    try arguments.expectSpace()
    destination = try arguments.mailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  /// The messages meant. One that another session has expunged makes a command by sequence numbers fail, for it names
  /// a message (RFC 2180 §4.4.2); by UID it is passed over (an iPhone told NO tries for ever).
  func uids(in mailbox: SelectedMailbox) throws(IMAPFailure) -> [UID] {
    let set = try mailbox.resolve(messages, by: numbering)
    if numbering == .sequenceNumbers, set.indices.contains(where: { mailbox.isGone(at: $0) }) { throw .expungeIssued }
    return mailbox.uids(in: set)
  }
}

extension CopyResult {
  /// Nil where nothing was copied: COPYUID can't say that.
  var code: ResponseCode? {
    source.isEmpty ? nil : .copyUID(uidValidity, source: source, destination: destination)
  }
}
