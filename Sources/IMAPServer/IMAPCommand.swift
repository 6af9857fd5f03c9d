import Authentication
import Bytes

/// A command is a value made from its arguments that can be run. Which of the four protocols it conforms to says in
/// which state it may be given; `run` gets what that state has.
///
/// To add one: a file in `Commands/` with a type like these, one line in `IMAPCommandTable`, its capability in
/// `Capabilities`, a transcript, and a row in the RFC table.
///
/// **What a command on messages relies on**, as FETCH and SEARCH do. One type serves `FETCH` and
/// `UID FETCH`; `context.numbering` tells which, and is kept. In `run`:
/// - `let set = try mailbox.resolve(sequenceSet, by: numbering)` gives indices; sequence number = index + 1,
///   `mailbox.uids(in:)` the UIDs to ask the store for, some hundreds at a time.
/// - Flags come from `mailbox.messageFlags(at:)` and `isRecent(at:)` (the latter is shown only if
///   `!session.speaksRev2`), not from the store's entries: what is in the mailbox's columns is what the client
///   is told consistently. After FLAGS of a message were sent, `mailbox.flagsWereTold(uid)`.
/// - Setting `\Seen`: `store.changeFlags`, then `try await mailbox.absorb(from: session.services.store)`, and the
///   columns have it. Not in a mailbox whose `access` is `.readOnly`.
/// - Replies go to `session.output`; call `try await session.flushIfFull()` after each message and each piece of a
///   body.
/// - A message that the store no longer has: skip it; at the end `throw .expungeIssued` if it was asked for by sequence
///   number (RFC 2180 §4.1.2), nothing if by UID. Errors of the store: `throw .store(error)`.
/// - `RETURN (SAVE)` sets `mailbox.savedResult`; `$` is resolved like any other set.
/// - What changed meanwhile is told by the session after `run`, before the tagged reply; EXPUNGE only if the table says
///   so.
protocol IMAPCommand: Sendable {
  /// Parses what follows the command's name, beginning with the space if there are arguments, up to the end.
  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError)
}

protocol AnyStateCommand: IMAPCommand {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion
}

protocol NotAuthenticatedCommand: IMAPCommand {
  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion
}

/// Authenticated or selected.
protocol AuthenticatedCommand: IMAPCommand {
  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion
}

protocol SelectedCommand: IMAPCommand {
  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion
}

/// What parsing depends on besides the bytes.
struct ParsingContext: Sendable {
  /// `.uids` behind the `UID` prefix.
  var numbering: MessageNumbering
  var mailboxNames: MailboxNameCoding
  /// After `ENABLE IMAP4rev2`.
  var speaksRev2: Bool
  /// The header of the message that comes next; only for APPEND.
  var message: LiteralHeader?
}

/// How a command that succeeded ends.
struct Completion: Sendable {
  var code: ResponseCode?
  var text: String
  /// False: the tagged reply has been written, or is to come later (IDLE).
  var isReplyDue = true

  init(_ text: String) { self.text = text }

  init(_ code: ResponseCode, _ text: String) {
    self.code = code
    self.text = text
  }

  static let replied: Completion = {
    var completion = Completion("")
    completion.isReplyDue = false
    return completion
  }()
}

/// A command without arguments.
protocol WithoutArguments: IMAPCommand { init() }

extension WithoutArguments {
  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectEnd()
    self.init()
  }
}
