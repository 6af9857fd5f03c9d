import Networking
import SMTP

extension SMTPSession {
  /// BDAT.  RFC 3030 §2.
  ///
  /// The octets follow the command whatever it is answered, so they are always taken from the stream first.
  mutating func chunk(_ size: Int, _ isLast: Bool) async throws(SessionEnd) {
    var message: IncomingMessage
    let transaction: MailTransaction
    let greeting: Greeting
    switch state {
    case .transaction(let theGreeting, let theTransaction) where !theTransaction.recipients.isEmpty:
      (greeting, transaction) = (theGreeting, theTransaction)
      message = .chunked(theTransaction, session: self)
    case .chunks(let theGreeting, let theTransaction, let theMessage):
      (greeting, transaction, message) = (theGreeting, theTransaction, theMessage)
    case .transaction:
      try await skip(size)
      return try refuse(SMTPReply(503, 5, 5, 1, "No valid recipients"))
    case .new, .greeted:
      try await skip(size)
      return isRidOfChunks ? reply(badSequence) : try refuse(badSequence)
    }
    state = .greeted(greeting)
    do throws(SessionEnd) {
      try await take(size, into: &message, transaction)
    } catch {
      abandon(&message, transaction)
      throw error
    }
    if isLast { return try await conclude(message, transaction, greeting) }
    if let problem = message.problem {
      // The transaction has failed; further chunks of it are answered 503.  RFC 3030 §2
      message.discard()
      let refusal = SMTPReply(problem, reference: transaction.id)
      guard case .store = problem else { return try refuse(refusal) }
      // Our fault, so neither this nor what the client has sent behind it counts among its errors.
      isRidOfChunks = true
      noteMessage()
      return reply(refusal)
    }
    state = .chunks(greeting, transaction, message)
    reply(SMTPReply(250, 2, 0, 0, "\(size) octets received"))
  }

  private mutating func take(_ size: Int, into message: inout IncomingMessage, _ transaction: MailTransaction)
    async throws(SessionEnd)
  {
    var remaining = size
    while remaining > 0 {
      let bytes = connection.received.take(upTo: remaining)
      remaining -= bytes.count
      if !bytes.isEmpty { await message.append(bytes) }
      if remaining > 0 {
        try checkProgress(of: message, transaction)
        try await waitForInput(mayStop: false)
      }
    }
  }

  /// Takes the octets of a chunk that nobody wants, within the bound of a message.
  private mutating func skip(_ size: Int) async throws(SessionEnd) {
    guard size <= services.limits.messageSize * 2 else {
      throw .leave(SMTPReply(421, 4, 3, 4, "The chunk is larger than \(services.limits.messageSize) octets"))
    }
    var remaining = size
    while remaining > 0 {
      remaining -= connection.received.take(upTo: remaining).count
      if remaining > 0 { try await waitForInput(mayStop: false) }
    }
  }
}
