import Authentication
import MailStore
import Networking

/// Why a command did not succeed. Everything of ours that can go wrong ends here and becomes one reply.
enum IMAPFailure: Error {
  /// The command does not follow the grammar, or can't be given now.
  case syntax(IMAPSyntaxError)
  case unknownCommand
  /// The command needs another state; the text says which.
  case wrongState(StaticString)
  case noSuchSequenceNumber
  /// Another session has expunged messages that this command needs.  RFC 9051 §7.1.
  case expungeIssued
  /// The command would change a mailbox opened by EXAMINE.
  case readOnly
  case store(StoreError)
  /// The mailbox to append, copy or move to does not exist: the client may create it and try again.
  case destination(StoreError)
  case authentication(AuthenticationFailure)
  /// The mechanism is unknown, or not allowed without TLS.
  case mechanismNotAvailable
  case privacyRequired
  /// A literal or a command beyond the bounds.
  case tooBig
  case tooManyArguments
  case badCharset
  /// RFC 3516 §4.3.
  case unknownTransferEncoding
  case notSaved
  /// A request that makes sense and that we do not do.
  case cannot(ResponseCode?, String)
  /// The peer is gone, or took too long in the middle of a command.
  case connectionLost(ConnectionError)
}

/// What becomes of a failed command.
enum FailureReply: Sendable {
  /// `NO`: it was understood.
  case no(ResponseCode?, String)
  /// `BAD`: it was not.
  case bad(String)
  /// A fault of ours: `NO [SERVERBUG]` with a reference, the cause in the log under it.
  case fault(cause: String)
  /// No reply can be given.
  case hangUp
}

extension IMAPFailure {
  var reply: FailureReply {
    switch self {
    case .syntax(let error): .bad("Expected \(error.expected)")
    case .unknownCommand: .bad("Unknown command")
    case .wrongState(let text): .bad("\(text)")
    case .noSuchSequenceNumber: .bad("There is no message with this sequence number")
    case .expungeIssued: .no(.expungeIssued, "Some of the messages no longer exist")
    case .readOnly: .no(nil, "The mailbox is open read-only")
    case .store(let error): error.reply(missing: .nonexistent)
    case .destination(let error): error.reply(missing: .tryCreate)
    case .authentication(let failure): failure.reply
    case .mechanismNotAvailable: .no(.cannot, "This mechanism is not available here")
    case .privacyRequired: .no(.privacyRequired, "Use TLS first")
    case .tooBig: .no(.tooBig, "The message is larger than this server accepts")
    case .tooManyArguments: .bad("The command is too long")
    case .badCharset: .no(.badCharset, "This charset is not known here")
    case .unknownTransferEncoding: .no(.unknownCTE, "The part's transfer encoding can't be decoded")
    case .notSaved: .no(.notSaved, "No search result has been saved")
    case .cannot(let code, let text): .no(code, text)
    case .connectionLost: .hangUp
    }
  }
}

extension StoreError {
  /// - Parameter missing: the code for a mailbox that does not exist.
  fileprivate func reply(missing: ResponseCode) -> FailureReply {
    switch self {
    case .mailboxNotFound: .no(missing, "There is no such mailbox")
    case .mailboxNotSelectable: .no(missing, "This mailbox is only a name: it holds no messages")
    case .mailboxExists: .no(.alreadyExists, "There is a mailbox of this name")
    case .mailboxHasChildren: .no(.hasChildren, "The mailbox has others below it")
    case .mailboxIsInbox: .no(.cannot, "This can't be done to INBOX")
    case .invalidMailboxName: .no(.cannot, "This can't be the name of a mailbox")
    case .messageNotFound: .no(.expungeIssued, "The message no longer exists")
    case .overQuota: .no(.overQuota, "The account is full")
    case .sendingLimit: .no(.limit, "The account has sent as much as it may")
    case .tooManyMailboxes: .no(.limit, "There are too many mailboxes")
    case .tooManyKeywords: .no(.limit, "There are too many keywords in the mailbox")
    case .accountNotFound: .no(.unavailable, "The account no longer exists")
    case .locked, .deviceFull, .closed: .no(.unavailable, "The mail store can't be used now, try again later")
    case .domainNotFound, .addressNotFound, .accountExists, .domainExists, .addressExists, .newerSchema, .inputOutput,
      .corrupt:
      .fault(cause: "\(self)")
    }
  }
}

extension AuthenticationFailure {
  fileprivate var reply: FailureReply {
    switch self {
    case .invalidCredentials: .no(.authenticationFailed, "Authentication failed")
    case .tooManyFailures: .no(.unavailable, "Too many failed logins, try again later")
    case .notAuthorized: .no(.authorizationFailed, "Not allowed to act as this user")
    case .malformed: .bad("The response is not what the mechanism expects")
    case .cancelled: .bad("Authentication cancelled")
    case .temporary(let reference): .no(.unavailable, "Authentication can't be checked now [\(reference)]")
    }
  }
}
