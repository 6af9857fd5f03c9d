import Authentication
import Bytes
import Cryptography
import Logging
import MailStore
import Networking

/// Everything that can go wrong in a dialogue, and what the client is told. Strangers are told little; the log gets the
/// cause with the reference that the reply has.
enum POP3Failure: Error {
  case unknownCommand
  case wrongState(String)
  case syntax(String)
  case lineTooLong
  case noSuchMessage
  case messageIsDeleted
  /// Another session (IMAP) has removed it for good.
  case messageIsGone
  case tlsNotOffered
  case tlsIsActive
  case tlsFailed(ConnectionError)
  /// Passwords and plaintext mechanisms only under TLS.
  case needsTLS
  case unknownMechanism
  case userIsMissing
  case utf8IsActive
  case unknownLanguage
  case authentication(AuthenticationFailure)
  case maildropInUse
  case store(StoreError)
  /// QUIT could not remove what was marked.
  case notRemoved(StoreError)
  /// The store failed in the middle of a message: what has been sent must not look like the whole.
  case brokenOff(StoreError)
  case stopping
  /// The client has gone.
  case disconnected

  enum Consequence {
    case goesOn, countsAsError, countsAsAuthenticationFailure
    /// After the reply the session is over.
    case ends
    /// The connection is cut without a reply.
    case breaksOff
  }

  /// The text after `-ERR `, with its response code (RFC 2449 §8, RFC 3206), and what becomes of the session.
  func answer(log: Logger) -> (text: String?, consequence: Consequence) {
    switch self {
    case .unknownCommand: ("unknown command", .countsAsError)
    case .wrongState(let name): ("\(name) is not possible now", .countsAsError)
    case .syntax(let problem): (problem, .countsAsError)
    case .lineTooLong: ("line too long", .countsAsError)
    case .noSuchMessage: ("no such message", .countsAsError)
    case .messageIsDeleted: ("message is deleted", .countsAsError)
    case .messageIsGone: ("message has been removed by another session", .goesOn)
    case .tlsNotOffered: ("TLS is not offered", .countsAsError)
    case .tlsIsActive: ("TLS is active already", .countsAsError)
    case .tlsFailed(let error): Self.tls(error, log)
    case .needsTLS: ("TLS is needed first", .countsAsError)
    case .unknownMechanism: ("mechanism is not offered", .countsAsError)
    case .userIsMissing: ("USER comes first", .countsAsError)
    case .utf8IsActive: ("UTF8 is active already", .countsAsError)
    case .unknownLanguage: ("language is not available", .goesOn)
    case .authentication(let failure): Self.authentication(failure)
    case .maildropInUse: ("[IN-USE] maildrop is open in another session", .goesOn)
    case .store(let error): Self.store(error, log)
    case .notRemoved(let error):
      ("[SYS/TEMP] some deleted messages not removed\(Self.logged(error, log))", .ends)
    case .brokenOff(let error):
      { _ = Self.logged(error, log); return (nil, .breaksOff) }()
    case .stopping: ("[SYS/TEMP] server is shutting down", .ends)
    case .disconnected: (nil, .ends)
    }
  }

  private static func authentication(_ failure: AuthenticationFailure) -> (String?, Consequence) {
    switch failure {
    case .invalidCredentials: ("[AUTH] name or password is wrong", .countsAsAuthenticationFailure)
    // Not [AUTH]: a client should wait, not ask for another password.
    case .tooManyFailures: ("[LOGIN-DELAY] too many failed logins, try again later", .countsAsAuthenticationFailure)
    case .notAuthorized: ("[AUTH] not authorized for that identity", .countsAsAuthenticationFailure)
    case .malformed: ("response is not what the mechanism expects", .countsAsAuthenticationFailure)
    case .cancelled: ("authentication cancelled", .countsAsError)
    case .temporary(let reference): ("[SYS/TEMP] try again later (\(reference))", .goesOn)
    }
  }

  private static func store(_ error: StoreError, _ log: Logger) -> (String?, Consequence) {
    switch error {
    case .messageNotFound: ("message has been removed by another session", .goesOn)
    case .accountNotFound, .mailboxNotFound, .mailboxNotSelectable: ("[SYS/PERM] there is no maildrop", .goesOn)
    case .closed: ("[SYS/TEMP] server is shutting down", .ends)
    case .deviceFull, .inputOutput, .locked: ("[SYS/TEMP] try again later\(logged(error, log))", .goesOn)
    case .corrupt, .newerSchema: ("[SYS/PERM] the mail store is damaged\(logged(error, log))", .goesOn)
    // What POP3 never asks for.
    case .domainNotFound, .addressNotFound, .mailboxExists, .mailboxHasChildren, .accountExists, .domainExists,
      .addressExists, .mailboxIsInbox, .invalidMailboxName, .overQuota, .sendingLimit,
      .tooManyMailboxes, .tooManyKeywords:
      ("[SYS/TEMP] internal error\(logged(error, log))", .goesOn)
    }
  }

  private static func tls(_ error: ConnectionError, _ log: Logger) -> (String?, Consequence) {
    log.info("tls_failed", metadata: ["cause": "\(error)"])
    return (nil, .breaksOff)
  }

  /// Writes the cause to the log and returns the reference for the reply.
  private static func logged(_ error: StoreError, _ log: Logger) -> String {
    let reference = hexadecimal(randomBytes(4))
    log.error("store_failed", metadata: ["reference": "\(reference)", "cause": "\(error)"])
    return " (\(reference))"
  }
}
