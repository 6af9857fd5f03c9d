import Authentication
import MailStore
import MessageFormat
import SMTP

/// Why a message that was transmitted is not kept.
enum MessageProblem: Error, Hashable {
  case tooBig(limit: Int)
  case headerTooBig(limit: Int)
  case bareLineEnd
  case tooManyHops
  /// It has been delivered to this recipient over and over.
  case deliveryLoop
  /// The field names this address, which is not the account's; nil where it names none.
  case authorNotOwned(EmailAddress?, in: AuthorField, account: String)
  /// The null sender, and nothing that says of itself that nobody wrote it.
  case notAReport
  case several(AuthorField)
  case store(StoreError)
}

/// A field that says who has written or sent a message.  RFC 5322 §3.6.2.
enum AuthorField: String {
  case from = "From"
  case sender = "Sender"
}

/// Every error of ours, as the client hears it.
extension SMTPReply {
  init(_ error: SMTPSyntaxError) {
    switch error {
    case .unknownCommand: self.init(500, 5, 5, 2, "Command not recognized")
    case .foreignProtocol: self.init(421, 4, 7, 0, "This is a mail server")
    case .bareLineEnd: self.init(500, 5, 5, 2, "Lines must end with CR LF, which must not stand alone")
    case .nullOctet: self.init(500, 5, 5, 2, "NUL is not allowed")
    case .unexpectedArgument: self.init(501, 5, 5, 4, "This command takes no argument")
    case .invalidHelloName: self.init(501, 5, 5, 4, "A host name is expected")
    case .missingPath(.reverse): self.init(501, 5, 5, 2, "Syntax: MAIL FROM:<address>")
    case .missingPath(.forward): self.init(501, 5, 5, 2, "Syntax: RCPT TO:<address>")
    case .missingBrackets(.reverse): self.init(501, 5, 1, 7, "The sender must stand in <angle brackets>")
    case .missingBrackets(.forward): self.init(501, 5, 1, 3, "The recipient must stand in <angle brackets>")
    case .invalidPath(.reverse): self.init(501, 5, 1, 7, "This is no valid sender address")
    case .invalidPath(.forward): self.init(501, 5, 1, 3, "This is no valid recipient address")
    case .unknownParameter(let name): self.init(555, 5, 5, 4, "Parameter \(name) not supported")
    case .invalidParameter(let name): self.init(501, 5, 5, 4, name.isEmpty ? "Bad parameter" : "Bad value of \(name)")
    case .repeatedParameter(let name): self.init(501, 5, 5, 4, "Parameter \(name) given twice")
    case .invalidMechanism: self.init(501, 5, 5, 4, "Syntax: AUTH mechanism [initial-response]")
    case .invalidChunkSize: self.init(421, 4, 5, 2, "Syntax: BDAT size [LAST]; cannot tell where the next command is")
    }
  }

  /// - Parameter reference: what the log line with the cause has, where the fault is ours.
  init(_ error: StoreError, reference: String) {
    switch error {
    case .overQuota: self.init(452, 4, 2, 2, "The mailbox is full")
    case .sendingLimit(let limit, let bound): self.init(limit, bound)
    case .accountNotFound, .addressNotFound, .domainNotFound: self.init(550, 5, 1, 1, "No such user here")
    case .deviceFull: self.init(452, 4, 3, 1, "No space to store the message; reference \(reference)")
    case .locked, .closed: self.init(451, 4, 3, 2, "The mail store is not available; try again later")
    case .mailboxNotFound, .mailboxNotSelectable, .mailboxExists, .mailboxHasChildren, .accountExists, .domainExists,
      .addressExists, .mailboxIsInbox, .invalidMailboxName, .messageNotFound, .tooManyMailboxes, .tooManyKeywords,
      .newerSchema, .inputOutput, .corrupt:
      self.init(451, 4, 3, 0, "Our fault; try again later; reference \(reference)")
    }
  }

  init(_ failure: AuthenticationFailure) {
    switch failure {
    case .invalidCredentials: self.init(535, 5, 7, 8, "Authentication failed")
    case .tooManyFailures: self.init(454, 4, 7, 0, "Too many failed attempts; try again later")
    case .notAuthorized: self.init(535, 5, 7, 8, "These credentials may not act for that identity")
    case .malformed: self.init(501, 5, 5, 2, "The response is not what the mechanism expects")
    case .cancelled: self.init(501, 5, 7, 0, "Authentication cancelled")
    case .temporary(let reference): self.init(454, 4, 7, 0, "Authentication does not work now; reference \(reference)")
    }
  }

  /// Beyond a limit of what an account sends.
  init(_ limit: SendingLimit, _ bound: Int) {
    self.init(
      450, EnhancedStatus(4, 7, 1),
      [
        "Your account may send \(limit.inWords(bound)), and this would be more; try again later",
        "An administrator can change that: martlet account limit",
      ])
  }

  /// The sender of MAIL is not the account's.
  static func senderNotOwned(_ sender: EmailAddress, account: String) -> SMTPReply {
    SMTPReply(553, EnhancedStatus(5, 7, 1), notOwned(sender.replyText, sender, account))
  }

  private static func notOwned(_ what: String, _ address: EmailAddress, _ account: String) -> [String] {
    let command = "martlet account send-as \(account) add \(address)"
    let hint = command.utf8.count <= 400 ? command : "martlet account send-as"
    return ["\(what) is not an address of your account", "An administrator can allow it: \(hint)"]
  }

  init(_ problem: MessageProblem, reference: String) {
    switch problem {
    case .tooBig(let limit): self.init(552, 5, 3, 4, "The message is larger than \(limit) octets")
    case .headerTooBig(let limit): self.init(552, 5, 3, 4, "The message header is larger than \(limit) octets")
    case .bareLineEnd: self.init(550, 5, 6, 11, "The message has a CR or LF that stands alone; lines end with CR LF")
    case .tooManyHops: self.init(554, 5, 4, 6, "The message has passed too many servers; it runs in a circle")
    case .deliveryLoop: self.init(554, 5, 4, 6, "The message has been here before; it runs in a circle")
    case .authorNotOwned(let author?, let field, let account):
      self.init(
        550, EnhancedStatus(5, 7, 1), Self.notOwned("\(field.rawValue): \(author.replyText)", author, account))
    case .authorNotOwned(nil, let field, _):
      self.init(550, 5, 7, 1, "The \(field.rawValue) field must name an address of your account")
    case .notAReport:
      self.init(550, 5, 7, 1, "MAIL FROM:<> is for reports and automatic replies, and this message is neither")
    case .several(let field): self.init(550, 5, 6, 0, "The message has more than one \(field.rawValue) field")
    case .store(let error): self.init(error, reference: reference)
    }
  }
}
