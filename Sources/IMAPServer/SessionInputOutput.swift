import Authentication
import Bytes
import Logging
import MessageFormat
import Networking

/// What commands use of the connection: sending, waiting in the middle of a command, ending the dialogue.
extension IMAPSession {
  // MARK: Sending

  mutating func flush() async throws(ConnectionError) {
    if output.isEmpty { return }
    try await connection.send(output.take())
  }

  /// Sends what there is if it is much, so that a large reply streams.
  mutating func flushIfFull() async throws(IMAPFailure) {
    guard output.isFull else { return }
    do throws(ConnectionError) {
      try await flush()
    } catch {
      throw .connectionLost(error)
    }
    output.reserve()
  }

  /// `* BYE`, and no more commands.
  mutating func farewell(_ text: String, _ code: ResponseCode? = nil) async throws(ConnectionError) {
    output.appendUntagged("BYE", code, text)
    state = .loggedOut
    try await flush()
  }

  /// Answers a command that failed. Without a tag it is untagged.
  mutating func reply(
    to tag: [UInt8]?, _ failure: IMAPFailure, _ numbers: IMAPCommandFact.SequenceNumberEffect = .keeps
  ) async throws(ConnectionError) {
    let tag = tag ?? [0x2A]
    switch failure.reply {
    case .no(let code, let text):
      badCommands = 0
      try await tellUpdates(numbers)
      output.appendTagged(tag, "NO", code, text)
    case .bad(let text):
      output.appendTagged(tag, "BAD", nil, text)
      badCommands += 1
      if badCommands >= services.limits.badCommands { try await farewell("Too many bad commands") }
    case .fault(let cause):
      let reference = "\(connection.id)-\(services.clock.now().seconds)"
      logger.error("imap_fault", metadata: ["cause": "\(cause)", "reference": "\(reference)"])
      output.appendTagged(tag, "NO", .serverBug, "Something is wrong here, the log knows it as \(reference)")
    case .hangUp:
      if case .connectionLost(let cause) = failure { throw cause }
    }
    if state.account == nil, failedLogins >= services.limits.failedLogins {
      try await farewell("Too many failed logins")
    }
  }

  // MARK: Waiting in the middle of a command

  /// Sends what there is and suspends until more has arrived.
  mutating func waitForMore() async throws(IMAPFailure) {
    do throws(ConnectionError) {
      try await flush()
    } catch {
      throw .connectionLost(error)
    }
    while true {
      var timeout = services.limits.stall
      if state.account == nil {
        guard let untilDeadline = timeUntilLogout else { throw .connectionLost(.timedOut) }
        timeout = min(timeout, untilDeadline)
      }
      switch await connection.waitForInput(timeout: timeout) {
      case .bytes:
        lastInput = services.clock.now()
        return
      // Changes of the mailbox and a request to stop wait until the command is done.
      case .interrupted: continue
      case .timedOut: throw .connectionLost(.timedOut)
      case .ended: throw .connectionLost(.closed)
      }
    }
  }

  /// The rest of the command's line, or the client's answer to a `+`.
  mutating func nextLine(limit: Int) async throws(IMAPFailure) -> [UInt8] {
    while true {
      switch connection.received.takeLine(limit: limit, ending: .crlfOrLF) {
      case .line(let line): return line
      case .tooLong: throw .tooManyArguments
      case .needsMore: try await waitForMore()
      }
    }
  }

  // MARK: Time

  /// How long the client may stay silent; nil if it has been too long already.
  var timeUntilLogout: Duration? {
    let now = services.clock.now()
    let limit: Timestamp
    if idling != nil {
      return services.limits.stillHere
    } else if state.account == nil {
      limit = loginDeadline
    } else {
      limit = lastInput.advanced(by: services.limits.autologout)
    }
    return now < limit ? .microseconds(limit.microseconds - now.microseconds) : nil
  }

  // MARK: Who is asking

  var authenticationContext: AuthenticationContext {
    AuthenticationContext(
      service: .imap, connectionID: connection.id, remoteAddress: remoteAddress,
      limitKey: connection.remoteAddress.ip?.limitKey.description ?? "local", tls: connection.tls,
      allowsPlaintext: services.allowsPlaintextAuthentication)
  }

  private var remoteAddress: String { connection.remoteAddress.ip?.description ?? "local" }
}
