import Authentication
import Cryptography
import Delivery
import Logging
import MailStore
import MessageFormat
import Networking
import SMTP

extension SMTPSession {
  /// RCPT.  RFC 5321 §4.1.1.3.
  mutating func recipient(_ path: ForwardPath, _ parameters: RecipientParameters) async throws(SessionEnd) {
    guard case .transaction(let greeting, var transaction) = state else { return try refuse(badSequence) }
    transaction.recipientsAsked += 1
    state = .transaction(greeting, transaction)
    // Each of a long list brings the message nearer, be it that it has to be sent to another time.
    if transaction.recipientsAsked <= services.limits.recipients * 2 { noteRecipient() }
    guard transaction.recipients.count < services.limits.recipients else {
      // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
      return reply(SMTPReply(452, 4, 5, 3, "Too many recipients; send to the rest separately"))
    }
    let address: EmailAddress
    switch path {
    case .postmaster: address = services.router.postmaster
    case .mailbox(let mailbox): address = mailbox
    }
    if address.needsSMTPUTF8, !transaction.parameters.usesUTF8 { return try refuse(Self.needsUTF8) }
    let route: Route
    do throws(StoreError) {
      route = try await services.router.route(address, from: account.map { .account($0.id) } ?? .elsewhere)
    } catch {
      logger.error("routing_failed", metadata: ["msg": "\(transaction.id)", "to": "\(address)", "error": "\(error)"])
      // Our fault, so it does not count among the client's errors.
      return reply(SMTPReply(error, reference: transaction.id))
    }
    switch route {
    case .deliver(let accounts, let elsewhere):
      guard elsewhere.isEmpty || services.outgoing != nil else { return try refuse(remoteRefusal(address, transaction)) }
      if let full = await quotaRefusal(of: accounts, transaction) {
        return reply(full)
      }
      await accept(
        AcceptedRecipient(address: address, accounts: accounts, elsewhere: elsewhere, parameters: parameters))
    case .remote where role == .submission && services.outgoing != nil:
      await accept(AcceptedRecipient(address: address, accounts: [], elsewhere: [address], parameters: parameters))
    case .closed:
      logger.notice("group_closed", metadata: ["from": "\(transaction.sender)", "to": "\(address)"])
      try refuse(SMTPReply(550, 5, 7, 2, "\(address.replyText) takes mail only from those who may write to it"))
    case .unknown:
      try refuse(SMTPReply(550, 5, 1, 1, "\(address.replyText) is not known here"))
    case .remote:
      try refuse(remoteRefusal(address, transaction))
    case .loop:
      logger.error("alias_loop", metadata: ["to": "\(address)"])
      try refuse(SMTPReply(550, 5, 4, 6, "The alias \(address.replyText) leads in a circle"))
    }
  }

  private mutating func accept(_ recipient: AcceptedRecipient) async {
    guard case .transaction(let greeting, var transaction) = state else { return }
    if !recipient.elsewhere.isEmpty {
      switch await counted(recipient.address, transaction) {
      case .success(let sent): transaction.sent = sent
      // As with a full mailbox, no error of the client's.
      case .failure(let refusal): return reply(refusal.reply)
      }
    }
    transaction.recipients.append(recipient)
    state = .transaction(greeting, transaction)
    reply(SMTPReply(250, 2, 1, 5, "Recipient ok"))
  }

  private func remoteRefusal(_ address: EmailAddress, _ transaction: MailTransaction) -> SMTPReply {
    if services.store.directory.isLocal(address.domain) {
      return SMTPReply(550, 5, 7, 1, "\(address.replyText) leads to another server, and this server does not send")
    }
    switch role {
    case .submission:
      return SMTPReply(
        550, 5, 7, 1, "This server does not send to other domains: \(address.domain) is not served here")
    case .exchange, .lmtp:
      logger.notice(
        "relay_refused",
        metadata: [
          "rip": "\(connection.remoteAddress)", "from": "\(transaction.sender)", "to": "\(address)",
        ])
      return SMTPReply(550, 5, 7, 1, "Relaying is not allowed: \(address.domain) is not served here")
    }
  }

  /// What is said where an account has no room: for good if the message can never fit, else until there is room again.
  ///
  /// This is where quota is enforced for SMTP; see `MessageReceipt`. It asks only for accounts that have a limit.
  private func quotaRefusal(of accounts: [AccountID], _ transaction: MailTransaction) async -> SMTPReply? {
    let directory = services.store.directory
    for account in accounts {
      guard let quota = directory.account(account)?.quota, quota.bytes != nil || quota.messages != nil else { continue }
      let size = Int64(clamping: transaction.parameters.size ?? 0)
      if let limit = quota.bytes, size > limit {
        return SMTPReply(552, 5, 3, 4, "The message is larger than the whole mailbox may be")
      }
      guard let usage = try? await services.store.quotaUsage(of: account) else { continue }
      let isFull = quota.bytes.map { usage.bytes >= $0 || size > $0 - usage.bytes } ?? false
      if isFull || quota.messages.map({ usage.messages >= $0 }) ?? false {
        return SMTPReply(StoreError.overQuota, reference: transaction.id)
      }
    }
    return nil
  }
}

extension EmailAddress {
  /// Short enough for a reply line of 512 octets (RFC 5321 §4.5.3.1.5).
  var replyText: String {
    let text = description
    return text.utf8.count <= 256 ? text : "This address"
  }
}
