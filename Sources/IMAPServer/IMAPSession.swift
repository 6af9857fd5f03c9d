import Authentication
import Bytes
import Logging
import MessageFormat
package import Networking

/// One IMAP dialogue: greet, take commands, run them, answer.  RFC 9051, RFC 3501.
///
/// All whole commands that have arrived are run before anything is sent, so a pipelined batch is answered at once and
/// in order. The session suspends for input in one place (`Dialogue.converse`), where nothing else is on the stack;
/// IDLE is a mode of that place, which is what keeps a thousand idle sessions small.
package struct IMAPSession {
  let connection: Connection
  let services: IMAPServices
  var state = IMAPSessionState.notAuthenticated
  /// Replies that are not sent yet.
  var output = ResponseBuffer()
  /// After `ENABLE IMAP4rev2`.
  var speaksRev2 = false
  var failedLogins = 0
  /// The tag of the command that is being run.
  private(set) var currentTag: [UInt8] = []
  /// The header of a message of APPEND whose octets have not been read.
  var unreadMessage: LiteralHeader?
  private var reader = CommandReader()
  var idling: Idling?
  /// Consecutive commands answered with BAD.
  var badCommands = 0
  var lastInput: Timestamp
  let loginDeadline: Timestamp
  var logger: Logger

  package init(connection: Connection, services: IMAPServices) {
    self.connection = connection
    self.services = services
    lastInput = services.clock.now()
    loginDeadline = lastInput.advanced(by: services.limits.login)
    logger = services.logger
    logger[metadataKey: "conn"] = "\(connection.id)"
  }

  var mailboxNames: MailboxNameCoding { speaksRev2 ? .utf8 : .modifiedUTF7 }

  /// Runs until LOGOUT or the end of input.
  package mutating func run() async {
    let dialogue = Dialogue(session: self)
    do throws(ConnectionError) {
      try await dialogue.converse()
    } catch {
      logger.debug("connection_lost", metadata: ["cause": "\(error)"])
    }
    self = dialogue.session
    state = .loggedOut
  }

  /// A task keeps the memory of its deepest call for as long as it lives: what LOGIN and SELECT once needed would cost
  /// each idling session 20 KB. So the task that waits only waits, and commands run in a task that ends with them.
  private final class Dialogue: @unchecked Sendable {
    /// Touched by one task at a time: the one that waits awaits the other.
    var session: IMAPSession

    init(session: IMAPSession) { self.session = session }

    func converse() async throws(ConnectionError) {
      var event: InputEvent?
      while let timeout = try await answer(event).get() {
        event = await session.connection.waitForInput(timeout: timeout)
      }
    }

    private func answer(_ event: InputEvent?) async -> Result<Duration?, ConnectionError> {
      await Task<Result<Duration?, ConnectionError>, Never> {
        do throws(ConnectionError) {
          return .success(try await session.answer(event))
        } catch {
          return .failure(error)
        }
      }.value
    }
  }

  /// Does what `event` asks for, nil being the beginning: runs all whole commands that have arrived and sends what
  /// there is to say. Returns how long to wait for more, or nil when the dialogue is over.
  private mutating func answer(_ event: InputEvent?) async throws(ConnectionError) -> Duration? {
    switch event {
    case nil: output.appendUntagged("OK", .capability(capabilities), "\(services.hostname) Martlet is ready")
    case .bytes:
      lastInput = services.clock.now()
      idling?.reminders = 0
    case .interrupted: break
    case .timedOut:
      if !remindIdler() { return try await end("Logged out for inactivity") }
    case .ended: return nil
    }
    while try await step() {}
    if case .loggedOut = state {
      try await flush()
      return nil
    }
    if connection.isStopping, reader.isBetweenCommands { return try await end("The server is going down") }
    if idling != nil { try await tellUpdates(.mayShrink) }
    try await flush()
    guard let timeout = timeUntilLogout else { return try await end("Logged out for inactivity") }
    return timeout
  }

  private mutating func end(_ reason: String) async throws(ConnectionError) -> Duration? {
    try await farewell(reason)
    return nil
  }

  /// Takes one command, or one literal's worth, from what has arrived. Returns false when nothing whole is left.
  private mutating func step() async throws(ConnectionError) -> Bool {
    if case .loggedOut = state { return false }
    if idling != nil { return try await endIdle() }
    let limits = services.limits
    let commandLimit = state.account == nil ? limits.commandBeforeLogin : limits.command
    switch reader.next(from: &connection.received, limits: limits, commandLimit: commandLimit) {
    case .needsMore: return false
    case .command(let bytes): try await perform(bytes, message: nil)
    case .message(let prefix, let header): try await perform(prefix, message: header)
    case .continuationNeeded: output.append("+ OK\r\n")
    case .refused(let tag, let failure): try await reply(to: tag, failure)
    case .abandoned:
      try await farewell("Too much to skip")
      return false
    }
    if output.isFull { try await flush() }
    return true
  }

  // MARK: One command

  private mutating func perform(_ bytes: [UInt8], message: LiteralHeader?) async throws(ConnectionError) {
    var cursor = ByteCursor(bytes)
    var tag: [UInt8]?
    var numbers = IMAPCommandFact.SequenceNumberEffect.keeps
    unreadMessage = message
    let completion: Completion
    do throws(IMAPFailure) {
      let fact = try parseName(&cursor, &tag)
      numbers = fact.numbers
      currentTag = tag ?? []
      completion = try await run(fact, &cursor)
    } catch {
      if case .connectionLost(let cause) = error { throw cause }
      if let unread = unreadMessage, !unread.isSynchronizing {
        // The message is on its way: the reply comes when it has been thrown away.
        reader.skipMessage(unread, tag: tag, error)
      } else {
        try await reply(to: tag, error, numbers)
      }
      return
    }
    badCommands = 0
    guard completion.isReplyDue else { return }
    try await tellUpdates(numbers)
    output.appendTagged(currentTag, "OK", completion.code, completion.text)
  }

  private func parseName(_ cursor: inout ByteCursor, _ tag: inout [UInt8]?) throws(IMAPFailure) -> IMAPCommandFact {
    let name: String
    do throws(IMAPSyntaxError) {
      let parsed = try cursor.tag()
      try cursor.expectSpace()
      tag = parsed
      let first = try cursor.keyword()
      if first == "UID" {
        try cursor.expectSpace()
        name = "UID " + (try cursor.keyword())
      } else {
        name = first
      }
    } catch {
      throw .syntax(error)
    }
    guard let fact = IMAPCommandTable.fact(named: name) else { throw .unknownCommand }
    return fact
  }

  private func parsed<Command: IMAPCommand>(
    _ type: Command.Type, _ cursor: inout ByteCursor, _ context: ParsingContext
  ) throws(IMAPFailure) -> Command {
    do throws(IMAPSyntaxError) {
      return try Command(parsing: &cursor, context)
    } catch {
      throw .syntax(error)
    }
  }

  private mutating func run(_ fact: IMAPCommandFact, _ cursor: inout ByteCursor) async throws(IMAPFailure) -> Completion
  {
    let context = ParsingContext(
      numbering: fact.numbering, mailboxNames: mailboxNames, speaksRev2: speaksRev2, message: unreadMessage)
    switch fact.state {
    case .any(let type):
      return try await parsed(type, &cursor, context).run(in: &self)
    case .notAuthenticated(let type):
      guard case .notAuthenticated = state else { throw .wrongState("You are logged in already") }
      return try await parsed(type, &cursor, context).run(in: &self)
    case .authenticated(let type):
      guard let account = state.account else { throw .wrongState("Log in first") }
      return try await parsed(type, &cursor, context).run(in: &self, as: account)
    case .selected(let type):
      guard state.account != nil else { throw .wrongState("Log in first") }
      guard let mailbox = state.mailbox else { throw .wrongState("Select a mailbox first") }
      // The command sees the newest flags; numbers stay as they are.
      try await mailbox.absorb(from: services.store)
      return try await parsed(type, &cursor, context).run(in: &self, on: mailbox)
    }
  }
}
