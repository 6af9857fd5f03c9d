import Authentication
import Bytes
import Logging
import MessageFormat
package import Networking
import SMTP

/// One SMTP, submission or LMTP dialogue.
///
/// It is owned by the task that calls `run()`. Replies gather in `output` and leave when the client has to be waited
/// for, so a pipelined batch of commands costs one write.
package struct SMTPSession {
  let connection: Connection
  let role: SMTPRole
  let services: SMTPServices
  var logger: Logger

  var state = SMTPSessionState.new
  /// Who has authenticated. It lasts over messages and ends with STARTTLS.
  var account: AuthenticatedAccount?
  var failedAuthentications = 0
  /// Messages this session has begun; the last part of their ids.
  var messageCount = 0
  /// A chunk failed by our fault: what the client has sent behind it, before it knew, is no error of its own.
  var isRidOfChunks = false

  private var output: [UInt8] = []
  private var errorCount = 0
  private var commandsWithoutMail = 0
  private let started: Timestamp

  /// Beyond this, replies are sent although more commands are at hand.
  private static let outputBatch = 16_384

  package init(connection: Connection, role: SMTPRole, services: SMTPServices) {
    self.connection = connection
    self.role = role
    self.services = services
    var logger = services.logger
    logger[metadataKey: "conn"] = "\(connection.id)"
    self.logger = logger
    started = services.clock.now()
  }

  /// Runs until QUIT, the end of input, or an error that ends the session.
  package mutating func run() async {
    do throws(SessionEnd) {
      try await greet()
      while true { try await perform(await nextCommandLine()) }
    } catch {
      await takeLeave(error)
    }
    forgetTransaction()
  }

  // MARK: Commands in

  /// Nil for a line that was too long and has been dropped.
  private mutating func nextCommandLine() async throws(SessionEnd) -> [UInt8]? {
    if connection.isStopping { throw .leave(Self.stopping) }
    if commandsWithoutMail > services.limits.commandsWithoutMail {
      throw .leave(SMTPReply(421, 4, 7, 0, "Too many commands without a message"))
    }
    return try await nextLine(mayStop: true)
  }

  /// Takes a line, waiting for it if need be.
  /// - Parameter mayStop: a graceful stop ends the wait.
  mutating func nextLine(mayStop: Bool) async throws(SessionEnd) -> [UInt8]? {
    while true {
      switch connection.received.takeLine(limit: services.limits.authenticationLine, ending: .crlf) {
      case .line(let line): return line
      case .tooLong: return nil
      case .needsMore:
        try await refuseBareLineFeed()
        try await waitForInput(mayStop: mayStop)
      }
    }
  }

  /// A client that ends its lines with LF alone would wait for ever: it is told, and what it sent is not carried out.
  private mutating func refuseBareLineFeed() async throws(SessionEnd) {
    guard !connection.received.isEmpty else { return }
    let found = connection.received.consume { bytes -> (consumed: Int, Bool) in
      guard let index = bytes.firstIndex(of: 0x0A) else { return (0, false) }
      return (index + 1, true)
    }
    if found { try refuse(SMTPReply(SMTPSyntaxError.bareLineEnd)) }
  }

  /// Sends what is to be sent, then waits until `connection.received` has grown.
  mutating func waitForInput(mayStop: Bool) async throws(SessionEnd) {
    try await flush()
    guard services.clock.now() < started.advanced(by: services.limits.sessionTime) else {
      throw .leave(SMTPReply(421, 4, 4, 2, "This session has lasted too long"))
    }
    while true {
      switch await connection.waitForInput(timeout: services.limits.idleTime) {
      case .bytes: return
      case .interrupted: if mayStop, connection.isStopping { throw .leave(Self.stopping) }
      case .timedOut: throw .leave(SMTPReply(421, 4, 4, 2, "Timeout; nothing has come for too long"))
      case .ended(let end): throw .disconnected(end)
      }
    }
  }

  private mutating func perform(_ line: [UInt8]?) async throws(SessionEnd) {
    commandsWithoutMail += 1
    guard let line else { return try refuse(SMTPReply(500, 5, 5, 6, "Line too long")) }
    let command: SMTPCommand
    do throws(SMTPSyntaxError) {
      command = try SMTPCommand(parsing: line, paths: role == .submission ? .bracketsOptional : .strict)
    } catch {
      let reply = SMTPReply(error)
      // 421 says that the connection ends (RFC 5321 §4.2.3).
      if reply.code == 421 { throw .leave(reply) }
      return try refuse(reply)
    }
    if line.count > services.limits.commandLine {
      guard case .authenticate = command else { return try refuse(SMTPReply(500, 5, 5, 6, "Line too long")) }
    }
    switch command {
    case .hello(let hello, let name): try self.hello(hello, name)
    case .startTLS: try await startTLS()
    case .authenticate(let mechanism, let response): try await authenticate(mechanism, response)
    case .mail(let sender, let parameters): try mail(from: sender, parameters)
    case .recipient(let path, let parameters): try await recipient(path, parameters)
    case .data: try await data()
    case .chunk(let size, let isLast): try await chunk(size, isLast)
    case .reset: reset()
    case .noop: reply(SMTPReply(250, 2, 0, 0, "Ok"))
    case .verify: reply(Self.verifyReply)
    case .expand: reply(Self.expandReply)
    case .help: reply(Self.helpReply)
    case .quit: throw .leave(SMTPReply(221, 2, 0, 0, "Bye"))
    }
    if output.count > Self.outputBatch { try await flush() }
  }

  // MARK: Replies out

  mutating func reply(_ reply: SMTPReply) { reply.append(to: &output) }

  /// Replies with an error. Too many of them end the session.
  mutating func refuse(_ reply: SMTPReply) throws(SessionEnd) {
    self.reply(reply)
    errorCount += 1
    if errorCount >= services.limits.errors {
      logger.notice("too_many_errors", metadata: ["rip": "\(connection.remoteAddress)", "count": "\(errorCount)"])
      throw .leave(SMTPReply(421, 4, 7, 0, "Too many errors"))
    }
  }

  mutating func flush() async throws(SessionEnd) {
    guard !output.isEmpty else { return }
    let bytes = output
    output = []
    do throws(ConnectionError) { try await connection.send(bytes) } catch { throw .disconnected(.reset) }
  }

  /// A message has been taken or refused for good: the client is doing what it came for.
  mutating func noteMessage() { commandsWithoutMail = 0 }

  /// This command was no detour.
  mutating func noteRecipient() { commandsWithoutMail -= 1 }

  /// Ends the transaction, if there is one, and lets go of what has been staged.
  mutating func forgetTransaction() {
    guard let greeting = state.greeting else { return }
    if case .chunks(_, _, var message) = state { message.discard() }
    state = .greeted(greeting)
  }

  private mutating func takeLeave(_ end: SessionEnd) async {
    switch end {
    case .leave(let reply):
      self.reply(reply)
      logger.debug("session_ended", metadata: ["reply": "\(reply.code)"])
      // The client may be gone already, which is as good.
      _ = try? await connection.send(output)
    case .disconnected(let end):
      logger.debug("session_ended", metadata: ["end": "\(end)"])
    }
  }

  private static let stopping = SMTPReply(421, 4, 3, 2, "The server is being restarted; try again soon")
}

/// Why a session is over.
enum SessionEnd: Error {
  /// With a last reply.
  case leave(SMTPReply)
  case disconnected(EndOfInput)
}
