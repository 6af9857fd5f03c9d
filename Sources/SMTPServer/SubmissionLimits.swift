import Authentication
import Cryptography
import Logging
import MailStore
import MessageFormat
import SMTP

/// How much an account sends to other servers. Asked at RCPT, where there is a reply for each recipient; what counts is
/// the commit, so messages that come in beside each other get no further.
extension SMTPSession {
  /// The limits of who has logged in; nil where nobody has.
  var sendingLimits: SendingLimits? {
    account.map { account in
      (services.store.directory.account(account.id)?.sendingLimits ?? SendingLimits())
        .completed(by: services.sendingLimits)
    }
  }

  /// A recipient at another server, as it will count; what is said instead where the account has sent enough.
  func counted(
    _ address: EmailAddress, _ transaction: MailTransaction
  ) async -> Result<SentRecipients, SendingRefusal> {
    var sent = transaction.sent
    let key = RecipientKey(address)
    guard let account, let limits = sendingLimits, !sent.keys.contains(key) else { return .success(sent) }
    let now = services.clock.now()
    sent.keys.insert(key)
    if limits.areUnlimited { return .success(sent) }
    // The commit asks again.
    guard let past = try? await services.store.sendingUse(of: account.id, at: now, known: [key]) else {
      return .success(sent)
    }
    if past.known.isEmpty { sent.newCount += 1 }
    var use = past.use
    use.add(SendingUse.Count(messages: 1, recipients: sent.keys.count, newRecipients: sent.newCount))
    guard let (limit, bound) = limits.exceeded(by: use) else { return .success(sent) }
    noteLimit(limit, bound)
    return .failure(SendingRefusal(reply: SMTPReply(limit, bound)))
  }

  /// What the commit counts; nil where nothing goes to other servers.
  func sentMessage(_ transaction: MailTransaction) -> SentMessage? {
    guard let account, let limits = sendingLimits, !transaction.sent.keys.isEmpty else { return nil }
    return SentMessage(account: account.id, recipients: transaction.sent.keys, limits: limits)
  }

  func noteLimit(_ limit: SendingLimit, _ bound: Int) {
    guard let account else { return }
    services.limitNotices.note(
      limit, bound, of: account.id, name: account.name, at: services.clock.now(), logger)
  }
}

/// Recipients of a transaction who are at other servers.
struct SentRecipients {
  var keys: Set<RecipientKey> = []
  /// How many of them the account has not sent to before.
  var newCount = 0
}

struct SendingRefusal: Error {
  var reply: SMTPReply
}

extension RecipientKey {
  /// Whom somebody writes to need not be kept in clear.
  init(_ address: EmailAddress) { self.init(rawValue: shortDigest(address.lookupKey)) }
}
