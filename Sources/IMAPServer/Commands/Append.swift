import Authentication
import Bytes
import MailStore
import MessageFormat
import Networking

/// `APPEND`, of one message or several.  RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 7889.
///
/// The reader stops in front of each message; its octets go to the store's stage as they arrive and are never held
/// here. Nothing is stored unless all of it came.
struct Append: AuthenticatedCommand {
  let mailbox: MailboxArgument
  private let first: Options
  private let header: LiteralHeader

  /// `append-opts` in front of a message.
  private struct Options: Sendable {
    var flags = MessageFlags()
    var internalDate: DateTime?

    /// `[SP flag-list] [SP date-time] SP`, up to the literal's header, which is not in the cursor.
    init(parsing cursor: inout ByteCursor) throws(IMAPSyntaxError) {
      try cursor.expectSpace()
      if cursor.peek == 0x28 {
        flags = try cursor.flagList()
        try cursor.expectSpace()
      }
      if cursor.peek == 0x22 {
        internalDate = try cursor.dateTime()
        try cursor.expectSpace()
      }
      guard cursor.isAtEnd else { throw cursor.expected("a message as a literal") }
    }
  }

  /// True if `command`, which a literal's header follows, is an APPEND whose mailbox name is there already: then the
  /// literal is a message.
  static func isBeforeMessage(_ command: [UInt8]) -> Bool {
    var cursor = ByteCursor(command)
    do throws(IMAPSyntaxError) {
      _ = try cursor.tag()
      try cursor.expectSpace()
      guard cursor.skip(atom: "APPEND") else { return false }
      try cursor.expectSpace()
      _ = try cursor.astring()
      try cursor.expectSpace()
      return true
    } catch {
      return false
    }
  }

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    first = try Options(parsing: &arguments)
    guard let header = context.message else { throw arguments.expected("a message as a literal") }
    self.header = header
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    let name = try await destination(&session, account)
    var messages: [NewMessage] = []
    var options = first
    var header = header
    while true {
      let body = try await receive(header, &session)
      messages.append(
        NewMessage(
          body: body, flags: options.flags,
          internalDate: options.internalDate ?? DateTime(timestamp: session.services.clock.now(), offsetMinutes: 0)))

      // Behind a message comes the end of the command, or the next message.
      let line = try await session.nextLine(limit: session.services.limits.line)
      guard let next = LiteralHeader(endOf: line) else {
        var cursor = ByteCursor(line)
        do throws(IMAPSyntaxError) { try cursor.expectEnd() } catch { throw .syntax(error) }
        break
      }
      session.unreadMessage = next
      var cursor = ByteCursor(line.dropLast(next.length))
      do throws(IMAPSyntaxError) { options = try Options(parsing: &cursor) } catch { throw .syntax(error) }
      guard messages.count < session.services.limits.messagesPerAppend else {
        throw .cannot(.limit, "Too many messages in one command")
      }
      header = next
    }

    let result: AppendResult
    do throws(StoreError) {
      result = try await session.services.store.append(messages, to: name, of: account.id)
    } catch {
      throw .destination(error)
    }
    return Completion(.appendUID(result.uidValidity, result.uids), "Stored")
  }

  /// Refused before the client sends the message, if it waits to be asked.
  private func destination(_ session: inout IMAPSession, _ account: AuthenticatedAccount) async throws(IMAPFailure)
    -> MailboxName
  {
    let name = try mailbox.resolved()
    guard let found = try await fromStore(await session.services.store.mailbox(named: name, of: account.id)) else {
      throw .destination(.mailboxNotFound)
    }
    guard found.isSelectable else { throw .destination(.mailboxNotSelectable) }
    return name
  }

  private func receive(_ header: LiteralHeader, _ session: inout IMAPSession) async throws(IMAPFailure) -> StagedBody {
    guard header.count <= session.services.limits.messageSize else { throw .tooBig }
    // RFC 3502 §6.3.11: a message without octets calls the whole command off.
    guard header.count > 0 else {
      session.unreadMessage = LiteralHeader(remaining: 0)
      throw .cannot(nil, "Called off")
    }
    if header.isSynchronizing { session.output.append("+ Send it\r\n") }
    let stage = session.services.store.stageBody(expectedSize: header.count)
    var remaining = header.count
    do throws(IMAPFailure) {
      while remaining > 0 {
        let bytes = session.connection.received.take(upTo: min(remaining, 65_536))
        if bytes.isEmpty {
          try await session.waitForMore()
          continue
        }
        remaining -= bytes.count
        // What is still to come is thrown away if this fails.
        session.unreadMessage = LiteralHeader(remaining: remaining)
        if !header.isBinary, bytes.contains(0) {
          throw .cannot(.cannot, "NUL is allowed only in a literal8, ~{\(header.count)}")
        }
        try await fromStore(await stage.append(bytes))
      }
      session.unreadMessage = nil
      return try await fromStore(await stage.finish())
    } catch {
      stage.discard()
      throw error
    }
  }
}
