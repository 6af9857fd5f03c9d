import Networking
import SMTP

/// Asking and being answered, within limits: the wire as the dialogue sees it.
struct ServerDialogue: Sendable {
  let connection: Connection
  let clock: SteadyClock
  /// When the message under way is given up, by `clock`.
  var deadline: Duration?
  private var parser = ReplyParser()

  init(connection: Connection, clock: SteadyClock) {
    self.connection = connection
    self.clock = clock
  }

  /// Sends a command or a part of the message.
  /// - Parameter limit: how long the server may leave no room for it.
  mutating func send(_ bytes: [UInt8], _ stage: DialogueStage, within limit: Duration) async throws(HostFailure) {
    let end = end(of: limit)
    let left = end - clock.now()
    guard left > .zero else { throw HostFailure(stage, .timedOut) }
    do {
      try await connection.send(bytes, stallLimit: left)
    } catch {
      if clock.now() >= end { throw HostFailure(stage, .timedOut) }
      throw try farewell(stage)
    }
  }

  /// The next reply. A server that takes its leave with 421 ends the dialogue, whatever was asked.  RFC 5321 §4.2.2.
  mutating func reply(_ stage: DialogueStage, within limit: Duration) async throws(HostFailure) -> SMTPReply {
    let end = end(of: limit)
    while true {
      if let reply = try nextReply(stage) {
        if reply.code == 421 { throw HostFailure(stage, .refused(reply)) }
        return reply
      }
      let left = end - clock.now()
      guard left > .zero else { throw HostFailure(stage, .timedOut) }
      let connection = connection
      let event = await withTaskCancellationHandler {
        await connection.waitForInput(timeout: left)
      } onCancel: {
        connection.close(.abruptly)
      }
      switch event {
      case .bytes, .interrupted: continue
      case .timedOut: throw HostFailure(stage, .timedOut)
      case .ended: throw HostFailure(stage, .connectionLost)
      }
    }
  }

  /// A reply that is there already, without waiting.
  mutating func replyAtHand(_ stage: DialogueStage) throws(HostFailure) -> SMTPReply? {
    _ = connection.pollInput()
    return try nextReply(stage)
  }

  /// Before something is asked: a reply that is there answers nothing. It is the server's farewell, or it was put in by
  /// somebody to be taken for the answer.
  mutating func expectSilence(_ stage: DialogueStage) throws(HostFailure) {
    guard let reply = try replyAtHand(stage) else { return }
    let isAnswer = reply.code == 421 || stage == .content && reply.code >= 400
    throw HostFailure(stage, isAnswer ? .refused(reply) : .outOfStep(reply))
  }

  /// What a server said before it closed the connection explains more than that it did.
  private mutating func farewell(_ stage: DialogueStage) throws(HostFailure) -> HostFailure {
    if let reply = try replyAtHand(stage), reply.code >= 400 { return HostFailure(stage, .refused(reply)) }
    return HostFailure(stage, .connectionLost)
  }

  private mutating func nextReply(_ stage: DialogueStage) throws(HostFailure) -> SMTPReply? {
    do throws(ReplySyntaxError) {
      while true {
        // The limit here is only a net: the parser's is lower.
        switch connection.received.takeLine(limit: 4 * ReplyParser.longestLine, ending: .crlfOrLF) {
        case .line(let line): if let reply = try parser.take(line) { return reply }
        case .tooLong: throw .lineTooLong
        case .needsMore:
          if connection.received.count > ReplyParser.longestLine { throw .lineTooLong }
          return nil
        }
      }
    } catch {
      throw HostFailure(stage, .invalidReply(error))
    }
  }

  private func end(of limit: Duration) -> Duration {
    let end = clock.now() + limit
    return deadline.map { min($0, end) } ?? end
  }
}
