import Logging
import MessageFormat
import Networking
import SMTP

extension SMTPSession {
  /// DATA.  RFC 5321 §4.1.1.4.
  ///
  /// Taken in chunks as they come, never line by line. Once it has begun, a graceful stop waits for its end.
  mutating func data() async throws(SessionEnd) {
    guard case .transaction(let greeting, let transaction) = state else { return try refuse(badSequence) }
    guard !transaction.recipients.isEmpty else {
      // RFC 2033 §4.2 asks for 503 in LMTP; RFC 5321 §3.3 has 554 or 503.
      return try refuse(SMTPReply(503, 5, 5, 1, "No valid recipients"))
    }
    guard transaction.parameters.body != .binary else {
      return try refuse(SMTPReply(503, 5, 5, 1, "BODY=BINARYMIME needs BDAT"))  // RFC 3030 §3
    }
    reply(SMTPReply(354, nil, ["End data with <CR><LF>.<CR><LF>"]))
    var message = IncomingMessage(transaction, session: self)
    // From here on the transaction is the message's, and what ends this function ends both.
    state = .greeted(greeting)
    var decoder = DataDecoder()
    do throws(SessionEnd) {
      while true {
        let bytes = connection.received.consume { input -> (consumed: Int, [UInt8]) in
          var bytes: [UInt8] = []
          bytes.reserveCapacity(input.count)
          return (decoder.decode(input, into: &bytes), bytes)
        }
        await message.append(bytes)
        if decoder.isFinished { break }
        try checkProgress(of: message, transaction)
        try await waitForInput(mayStop: false)
      }
    } catch {
      abandon(&message, transaction)
      throw error
    }
    if decoder.hasBareLineEnd { message.refuse(.bareLineEnd) }
    try await conclude(message, transaction, greeting)
  }

  /// The session ends before the message does: it is not accepted, and the client knows or is gone.
  func abandon(_ message: inout IncomingMessage, _ transaction: MailTransaction) {
    message.discard()
    logger.notice(
      "message_cut_off",
      metadata: [
        "from": "\(transaction.sender)", "msg": "\(transaction.id)", "size": "\(message.size)",
        "rip": "\(connection.remoteAddress)",
      ])
  }

  /// Ends a session whose message has no end in sight.
  func checkProgress(of message: IncomingMessage, _ transaction: MailTransaction) throws(SessionEnd) {
    if message.size > services.limits.messageSize * 2 {
      throw .leave(SMTPReply(421, 4, 3, 4, "The message is larger than \(services.limits.messageSize) octets"))
    }
    if services.clock.now() > transaction.started.advanced(by: services.limits.messageTime) {
      throw .leave(SMTPReply(421, 4, 4, 2, "The message takes too long"))
    }
  }
}
