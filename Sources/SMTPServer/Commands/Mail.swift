import Authentication
import Logging
import MailStore
import MessageFormat
import Networking
import SMTP

extension SMTPSession {
  /// MAIL.  RFC 5321 §4.1.1.2.
  mutating func mail(from sender: ReversePath, _ parameters: MailParameters) throws(SessionEnd) {
    guard case .greeted(let greeting) = state else { return try refuse(badSequence) }
    if role == .submission, account == nil {
      // RFC 6409 §4.3, RFC 4954 §6.
      let text =
        canStartTLS && availableMechanisms.isEmpty ? "Say STARTTLS, then AUTH first" : "Authentication required"
      return try refuse(SMTPReply(530, 5, 7, 0, text))
    }
    if let size = parameters.size, size > services.limits.messageSize {
      return try refuse(SMTPReply(MessageProblem.tooBig(limit: services.limits.messageSize), reference: ""))
    }
    if let refusal = refusal(of: parameters) { return try refuse(refusal) }
    if let address = sender.address {
      if address.needsSMTPUTF8, !parameters.usesUTF8 { return try refuse(Self.needsUTF8) }
      if let account, !services.acceptsAnySender, !services.store.directory.maySend(account.id, as: address) {
        logger.notice("sender_refused", metadata: ["user": "\(account.name)", "from": "\(address)"])
        return try refuse(.senderNotOwned(address, account: account.name))
      }
    }
    messageCount += 1
    isRidOfChunks = false
    state = .transaction(
      greeting,
      MailTransaction(
        id: "\(connection.id)-\(messageCount)", sender: sender, parameters: parameters, started: services.clock.now(),
        release: release(of: parameters)))
    reply(SMTPReply(250, 2, 1, 0, "Sender ok"))
  }

  /// RFC 6531 §3.5.
  static let needsUTF8 = SMTPReply(553, 5, 6, 7, "This address needs MAIL with SMTPUTF8")
}
