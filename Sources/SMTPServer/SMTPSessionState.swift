import Delivery
import MailStore
import MessageFormat
import SMTP

/// How far a session has come. What a state has is what exists: no transaction outlives RSET, EHLO or STARTTLS.
enum SMTPSessionState {
  /// Nobody has said hello, or TLS has just begun (RFC 3207 §4.2).
  case new
  case greeted(Greeting)
  /// After MAIL.
  case transaction(Greeting, MailTransaction)
  /// After the first BDAT of a message: only more of them may follow.
  case chunks(Greeting, MailTransaction, IncomingMessage)

  var greeting: Greeting? {
    switch self {
    case .new: nil
    case .greeted(let greeting), .transaction(let greeting, _), .chunks(let greeting, _, _): greeting
    }
  }
}

/// What the client said first.
struct Greeting {
  var hello: SMTPCommand.Hello
  var name: String
}

/// What MAIL and RCPT have settled.  RFC 5321 §3.3.
struct MailTransaction {
  let id: String
  let sender: ReversePath
  let parameters: MailParameters
  let started: Timestamp
  /// Nobody gets the message before this.
  let release: Timestamp?
  var recipients: [AcceptedRecipient] = []
  /// RCPT commands, whatever they were answered.
  var recipientsAsked = 0
  var sent = SentRecipients()

  /// As they are to have the message at once: of one that is held back nobody here.
  var recipientsNow: [AcceptedRecipient] {
    guard release != nil else { return recipients }
    return recipients.map { recipient in
      var recipient = recipient
      recipient.accounts = []
      return recipient
    }
  }
}
