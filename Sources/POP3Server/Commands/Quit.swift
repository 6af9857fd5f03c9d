import Logging

extension POP3Command {
  /// In the TRANSACTION state this is the UPDATE state: what is marked goes, all of it in one commit, and only here.
  static let quit = POP3Command(
    "QUIT", "RFC 1939 §5, §6",
    .anyState { session, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      guard case .transaction(let maildrop) = session.state else {
        session.state = .ended
        session.reply("goodbye")
        return
      }
      try await maildrop.update()
      session.logger.info("maildrop_closed", metadata: ["deleted": "\(maildrop.markedCount)"])
      session.state = .ended
      session.reply(maildrop.markedCount == 0 ? "goodbye" : "\(maildrop.markedCount) messages deleted, goodbye")
    })
}
