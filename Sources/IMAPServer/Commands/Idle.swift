import Authentication
import Bytes
import Networking

/// IDLE is under way. It is a mode of the session and not a place in the code, so that an idle session holds no
/// more than its values.
struct Idling: Sendable {
  var tag: [UInt8]
  /// `* OK Still here` since the client last spoke.
  var reminders = 0
}

/// `IDLE`: the server speaks until the client says `DONE`.  RFC 9051 §6.3.13, RFC 2177.
struct Idle: AuthenticatedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    session.output.append("+ idling\r\n")
    if let mailbox = session.state.mailbox, mailbox.hasToldArrivalsInCommand {
      mailbox.hasToldArrivalsInCommand = false
      session.appendCounts(of: mailbox)
    }
    session.idling = Idling(tag: session.currentTag)
    return .replied
  }
}

extension IMAPSession {
  /// The client has said something in IDLE. Returns false if its line is not whole.
  /// What follows `DONE` in the same packet is the next command: nothing is discarded.
  mutating func endIdle() async throws(ConnectionError) -> Bool {
    guard let idling else { return false }
    switch connection.received.takeLine(limit: 1000, ending: .crlfOrLF) {
    case .needsMore: return false
    case .line(let line) where line.equalsIgnoringASCIICase("DONE"):
      self.idling = nil
      try await tellUpdates(.mayShrink)
      output.appendTagged(idling.tag, "OK", nil, "Idle ended")
    case .line, .tooLong:
      self.idling = nil
      try await reply(to: idling.tag, .syntax(IMAPSyntaxError("DONE")))
    }
    return true
  }

  /// An idling client has heard nothing for a while: Outlook takes silence for death. False if it has been for too
  /// long.
  mutating func remindIdler() -> Bool {
    guard let reminders = idling?.reminders, reminders < services.limits.stillHereCount else { return false }
    idling?.reminders += 1
    output.append("* OK Still here\r\n")
    return true
  }
}
