import Authentication
import Cryptography
import Delivery
import Logging
import MailStore
import MessageFormat
import Networking
import SMTP

/// The end of a message: commit, then reply.
///
/// SMTP has one reply for all recipients, so all must have the message before it may be 250. Quota was asked for at
/// RCPT, and a message with several recipients is let in although one of their mailboxes has become full since: it
/// overruns by at most the messages that are under way. With one recipient the quota holds to the octet. Where the
/// store fails for some, the client is asked to try again: a second copy for the others is better than none. LMTP has a
/// reply for each.
extension SMTPSession {
  mutating func conclude(
    _ message: IncomingMessage, _ transaction: MailTransaction, _ greeting: Greeting
  ) async throws(SessionEnd) {
    noteMessage()
    var message = message
    let body: StagedBody
    do throws(MessageProblem) {
      body = try await message.finish()
    } catch {
      log(transaction, size: message.size, status: "refused", reason: "\(error)", level: error.level)
      return answer(transaction, SMTPReply(error, reference: transaction.id))
    }
    let now = DateTime(timestamp: services.clock.now(), offsetMinutes: 0)
    let plan = LocalDeliveryPlan(
      recipients: transaction.recipientsNow, from: transaction.sender.address,
      received: received(transaction, greeting, now),
      enforcesQuota: role == .lmtp || transaction.recipients.count == 1)
    let failures = await take(
      body, plan, queued(transaction, greeting, message.signatureFields(), now), sentMessage(transaction), now)
    if case .sendingLimit(let limit, let bound)?? = failures.first { noteLimit(limit, bound) }
    for (recipient, failure) in zip(transaction.recipients, failures) {
      guard let failure else { continue }
      log(
        transaction, size: body.size, status: "failed", to: recipient.address.description, reason: "\(failure)",
        level: failure.level)
    }
    if failures.contains(where: { $0 == nil }) {
      log(transaction, size: body.size, status: "stored", level: .info)
    }
    let stored = SMTPReply(250, 2, 0, 0, "Ok: stored as \(transaction.id)")
    if role == .lmtp {
      for failure in failures { reply(failure.map { SMTPReply($0, reference: transaction.id) } ?? stored) }
    } else if let failure = failures.lazy.compactMap({ $0 }).first {
      let all = failures.allSatisfy { $0 != nil }
      reply(SMTPReply(all ? failure : .closed, reference: transaction.id))
    } else {
      reply(stored)
    }
  }

  /// What goes on to other servers.
  private func queued(
    _ transaction: MailTransaction, _ greeting: Greeting, _ signature: [UInt8], _ now: DateTime
  ) -> [NewQueuedMessage] {
    guard let outgoing = services.outgoing else { return [] }
    let directory = services.store.directory
    return outgoing.messages(
      for: transaction.recipients, from: transaction.sender.address, account: account?.id, transaction.parameters,
      received: received(transaction, greeting, now), signature: signature, release: transaction.release,
      isLocal: { directory.isLocal($0) })
  }

  /// One commit for mailboxes and queue. Returns what went wrong for each recipient.
  private func take(
    _ body: StagedBody, _ plan: LocalDeliveryPlan, _ queued: [NewQueuedMessage], _ sent: SentMessage?, _ now: DateTime
  ) async -> [StoreError?] {
    do throws(StoreError) {
      return plan.failures(
        from: try await services.deliver(body, plan.deliveries, queued, sent, now))
    } catch {
      return plan.failures(from: plan.deliveries.map { _ in .failure(error) }, others: error)
    }
  }

  /// One reply, or in LMTP one for each recipient.  RFC 2033 §4.2.
  private mutating func answer(_ transaction: MailTransaction, _ reply: SMTPReply) {
    for _ in 0..<(role == .lmtp ? transaction.recipients.count : 1) { self.reply(reply) }
  }

  private func received(_ transaction: MailTransaction, _ greeting: Greeting, _ date: DateTime) -> ReceivedField {
    let tls = connection.tls
    return ReceivedField(
      heloName: greeting.name, peer: connection.remoteAddress.ip?.addressLiteral ?? "local", by: services.hostname,
      with: protocolName(transaction, greeting, isSecure: tls != nil), id: transaction.id, recipient: nil,
      tls: tls.map { "\($0.version) \($0.cipher)" }, date: date)
  }

  /// RFC 3848, RFC 6531 §4.3.
  private func protocolName(_ transaction: MailTransaction, _ greeting: Greeting, isSecure: Bool) -> String {
    var name =
      switch (greeting.hello, transaction.parameters.usesUTF8) {
      case (.lhlo, false): "LMTP"
      case (.lhlo, true): "UTF8LMTP"
      case (_, true): "UTF8SMTP"
      case (.ehlo, false): "ESMTP"
      // RFC 3848 has no letters for a client that only says HELO.
      case (.helo, false): "SMTP"
      }
    guard name != "SMTP" else { return name }
    if isSecure { name += "S" }
    if account != nil { name += "A" }
    return name
  }

  private func log(
    _ transaction: MailTransaction, size: Int, status: String, to recipient: String? = nil, reason: String? = nil,
    level: Logger.Level
  ) {
    guard logger.logLevel <= level else { return }
    let listed = transaction.recipients.prefix(10).map(\.address.description).joined(separator: ",")
    let more = transaction.recipients.count > 10 ? ",+\(transaction.recipients.count - 10)" : ""
    var metadata: Logger.Metadata = [
      "from": "\(transaction.sender)", "to": "\(recipient ?? listed + more)", "size": "\(size)",
      "msg": "\(transaction.id)",
      "status": "\(status)", "rip": "\(connection.remoteAddress)",
    ]
    if let account { metadata["user"] = "\(account.name)" }
    if let reason { metadata["reason"] = "\(reason)" }
    logger.log(level: level, "message_received", metadata: metadata)
  }
}

extension MessageProblem {
  fileprivate var level: Logger.Level {
    if case .store(let error) = self { error.level } else { .notice }
  }
}

extension StoreError {
  /// A limit that is reached is the account's affair; the rest is ours.
  fileprivate var level: Logger.Level {
    switch self {
    case .overQuota, .sendingLimit: .notice
    default: .error
    }
  }
}
