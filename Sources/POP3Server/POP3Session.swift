package import Authentication
import Bytes
package import Cryptography
package import Logging
package import MailStore
package import MessageFormat
package import Networking

/// Everything a session is given.
package struct POP3Services: Sendable {
  package var store: MailStore
  package var authenticator: Authenticator
  /// Which maildrops are open: one session at a time.  RFC 1939 §3.
  package var maildrops: MaildropLocks
  /// Nil: STLS is not offered.
  package var tls: TLSServerContext?
  package var hostname: String
  package var clock: WallClock
  package var logger: Logger
  package var allowsPlaintextAuthentication: Bool
  package var limits: POP3Limits
  package init(
    store: MailStore, authenticator: Authenticator, maildrops: MaildropLocks, tls: TLSServerContext?, hostname: String,
    clock: WallClock, logger: Logger, allowsPlaintextAuthentication: Bool = false, limits: POP3Limits = POP3Limits()
  ) {
    self.store = store
    self.authenticator = authenticator
    self.maildrops = maildrops
    self.tls = tls
    self.hostname = hostname
    self.clock = clock
    self.logger = logger
    self.allowsPlaintextAuthentication = allowsPlaintextAuthentication
    self.limits = limits
  }
}

/// One POP3 dialogue.
package struct POP3Session {
  let connection: Connection
  let services: POP3Services
  var logger: Logger
  var state = POP3SessionState.authorization(user: nil)
  /// Set by the UTF8 command.  RFC 6856 §2.1.
  var isUTF8 = false
  /// Replies of the commands of this batch, not sent yet.
  private var output: [UInt8] = []
  private var errors = 0
  private var authenticationFailures = 0

  package init(connection: Connection, services: POP3Services) {
    self.connection = connection
    self.services = services
    logger = services.logger
    logger[metadataKey: "conn"] = "\(connection.id)"
  }

  /// Runs until QUIT or the end of input.
  package mutating func run() async {
    reply("\(services.hostname) Martlet POP3 server ready")
    while true {
      do throws(POP3Failure) {
        guard let line = try await nextLine() else { break }
        try await run(line)
        errors = 0
      } catch {
        guard await answer(error) else { break }
      }
      if case .ended = state { break }
    }
    // The lock goes before the last reply can be read, so that a client may log in again at once.
    state = .ended
    try? await flush()
  }

  // MARK: Lines

  /// The next line from the client; nil where the session is to end without another word.
  mutating func nextLine() async throws(POP3Failure) -> [UInt8]? {
    while true {
      if connection.isStopping { throw .stopping }
      switch connection.received.takeLine(limit: services.limits.line, ending: .crlfOrLF) {
      case .line(let line): return line
      case .tooLong: throw .lineTooLong
      case .needsMore: break
      }
      try await flush()
      switch await connection.waitForInput(timeout: services.limits.idleTime) {
      case .bytes, .interrupted: continue
      case .timedOut:
        // RFC 1939 §3: the server closes without removing any messages or sending any response.
        logger.info("idle_timeout")
        return nil
      case .ended: return nil
      }
    }
  }

  private mutating func run(_ line: [UInt8]) async throws(POP3Failure) {
    let (name, arguments) = POP3Arguments.split(line)
    guard let command = POP3CommandTable.command(named: name) else { throw .unknownCommand }
    switch (command.body, state) {
    case (.authorization(let body), .authorization): try await body(&self, arguments)
    case (.transaction(let body), .transaction(let maildrop)): try await body(&self, maildrop, arguments)
    case (.anyState(let body), _): try await body(&self, arguments)
    case (.authorization, _), (.transaction, _): throw .wrongState(command.name)
    }
  }

  // MARK: Replies

  mutating func reply(_ text: String) { reply(Array(text.utf8)) }

  mutating func reply(_ text: [UInt8]) {
    output.append(literal: "+OK ")
    output.append(contentsOf: text)
    output.append(literal: "\r\n")
  }

  /// A line of a multi-line reply that cannot begin with a dot.
  mutating func line(_ text: String) {
    output.append(text: text)
    output.append(literal: "\r\n")
  }

  mutating func endOfLines() { output.append(literal: ".\r\n") }

  /// Gives `body` the buffer of replies, then sends it if it has grown large.
  mutating func write(_ body: (inout [UInt8]) -> Void) async throws(POP3Failure) {
    body(&output)
    if output.count >= services.limits.outputBatch { try await flush() }
  }

  mutating func flush() async throws(POP3Failure) {
    guard !output.isEmpty else { return }
    let bytes = output
    output = []
    do { try await connection.send(bytes) } catch { throw .disconnected }
  }

  /// Turns a failure into its reply. False where it ends the session.
  private mutating func answer(_ failure: POP3Failure) async -> Bool {
    let answer = failure.answer(log: logger)
    if let text = answer.text {
      output.append(literal: "-ERR ")
      output.append(text: text)
      output.append(literal: "\r\n")
    }
    switch answer.consequence {
    case .goesOn:
      return true
    case .countsAsError:
      errors += 1
      if errors >= services.limits.errors { return giveUp("too many errors") }
      return true
    case .countsAsAuthenticationFailure:
      authenticationFailures += 1
      if authenticationFailures >= services.limits.authenticationFailures { return giveUp("too many failed logins") }
      return true
    case .ends:
      return false
    case .breaksOff:
      output = []
      connection.close(.abruptly)
      return false
    }
  }

  private mutating func giveUp(_ reason: String) -> Bool {
    logger.info("session_given_up", metadata: ["reason": "\(reason)"])
    output.append(text: "-ERR \(reason)\r\n")
    return false
  }

  // MARK: Logging in

  var authenticationContext: AuthenticationContext {
    AuthenticationContext(
      service: .pop3, connectionID: connection.id, remoteAddress: connection.remoteAddress.ip?.description ?? "local",
      limitKey: connection.remoteAddress.ip?.limitKey.description ?? "local", tls: connection.tls,
      allowsPlaintext: services.allowsPlaintextAuthentication)
  }

  /// Opens the maildrop and turns to the TRANSACTION state.  RFC 1939 §4.
  mutating func enter(_ account: AuthenticatedAccount) async throws(POP3Failure) {
    guard let lock = services.maildrops.lock(account.id) else { throw .maildropInUse }
    let maildrop = try await Maildrop.open(account.id, lock: lock, store: services.store)
    logger[metadataKey: "user"] = "\(account.name)"
    logger.info(
      "maildrop_opened",
      metadata: [
        "mechanism": "\(account.mechanism)", "protocol": "pop3", "messages": "\(maildrop.count)",
        "rip": "\(connection.remoteAddress.ip?.description ?? "local")",
      ])
    state = .transaction(maildrop)
    reply("\(maildrop.count) messages (\(maildrop.snapshotSize) octets)")
  }
}
