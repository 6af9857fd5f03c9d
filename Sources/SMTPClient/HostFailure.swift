package import Networking
package import SMTP

/// How far a dialogue had come.
package enum DialogueStage: String, Hashable, Sendable {
  case connect = "connect"
  case greeting = "greeting"
  case hello = "EHLO"
  case startTLS = "STARTTLS"
  case authenticate = "AUTH"
  case reset = "RSET"
  case mail = "MAIL"
  case recipient = "RCPT"
  case data = "DATA"
  /// Between the server's go-ahead and the end of the message.
  case content = "message"
  /// The message is sent as a whole, and the server has not said whether it has it.
  case endOfData = "end of message"
  case quit = "QUIT"
}

/// Why there is no dialogue with a host, or no longer one. The connection is closed.
package struct HostFailure: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Cause: Hashable, Sendable {
    case unreachable(String)
    case timedOut
    case connectionLost
    /// The greeting, EHLO, STARTTLS or AUTH was refused; or the server takes its leave (421), or speaks up in the
    /// middle of the message.
    case refused(SMTPReply)
    case invalidReply(ReplySyntaxError)
    /// A reply to nothing, or one that does not fit what was asked.
    case outOfStep(SMTPReply)
    /// Takes the message so slowly that it would never end.
    case tooSlow
    /// Policy asks for TLS.
    case tlsNotOffered
    case handshakeFailed(String)
    /// Credentials are only sent under TLS.
    case authenticationNeedsTLS
    case noCommonMechanism
    /// The server does not know the password it wants to check.
    case serverNotAuthentic
    /// Ours: the message could not be read from the store.
    case contentUnavailable(String)
  }

  package var stage: DialogueStage
  package var cause: Cause
  /// Where we had come from, if there was a connection.
  package var localAddress: IPAddress?

  package init(_ stage: DialogueStage, _ cause: Cause) {
    self.stage = stage
    self.cause = cause
  }

  /// The reply behind it, where there is one.
  package var reply: SMTPReply? {
    switch cause {
    case .refused(let reply), .outOfStep(let reply): reply
    default: nil
    }
  }

  /// Whether the next host of the same destination may do better.  RFC 5321 §5.1.
  package var triesNextHost: Bool {
    switch (stage, cause) {
    // The server may have the message: asking another one now would make doubles of most of these.
    case (.endOfData, _): false
    case (_, .contentUnavailable): false
    case (.content, .refused(let reply)): !reply.isPermanentFailure
    default: true
    }
  }

  /// The session had been used before and turned out to be over: the same host may be asked anew, at once.
  package var isStaleSession: Bool { stage == .reset }

  /// The server has let us wait in vain: it would let the next message wait as well.
  package var isSilence: Bool {
    switch cause {
    case .timedOut, .tooSlow: true
    default: false
    }
  }

  /// Whether trying again later is in vain, if no other host does better.
  package var isPermanent: Bool {
    guard case .refused(let reply) = cause, reply.isPermanentFailure else { return false }
    // 454 or 554 after STARTTLS and 535 after AUTH are about how we are set up, which can be put right in the meantime.
    return stage != .startTLS && stage != .authenticate && stage != .reset
  }

  /// What goes into reports: the server's own status, else the nearest one.  RFC 3463 §3.5.
  package var status: EnhancedStatus {
    let category: UInt16 = isPermanent ? 5 : 4
    if let status = reply?.status, status.category == category { return status }
    switch cause {
    case .unreachable: return EnhancedStatus(category, 4, 1)
    case .timedOut, .connectionLost, .tooSlow: return EnhancedStatus(category, 4, 2)
    case .invalidReply, .outOfStep: return EnhancedStatus(category, 5, 0)
    case .refused: return EnhancedStatus(category, stage == .authenticate ? 7 : 3, stage == .authenticate ? 8 : 2)
    case .tlsNotOffered: return EnhancedStatus(category, 7, 10)
    case .handshakeFailed: return EnhancedStatus(category, 7, 5)
    case .authenticationNeedsTLS: return EnhancedStatus(category, 7, 11)
    case .noCommonMechanism, .serverNotAuthentic: return EnhancedStatus(category, 7, 0)
    case .contentUnavailable: return EnhancedStatus(category, 3, 0)
    }
  }

  /// One line for the log and the reader of a report.
  package var description: String {
    let what =
      switch cause {
      case .unreachable(let reason): "it cannot be reached: \(reason)"
      case .timedOut: "it did not answer in time"
      case .connectionLost: "the connection was lost"
      case .refused(let reply): "it said \(reply)"
      case .invalidReply(let error): "it does not speak SMTP: \(error)"
      case .outOfStep(let reply): "it said out of turn \(reply)"
      case .tooSlow: "it takes the message too slowly"
      case .tlsNotOffered: "it does not offer the encryption that is required"
      case .handshakeFailed(let reason): "no encrypted connection could be made: \(reason)"
      case .authenticationNeedsTLS: "credentials are not sent without encryption"
      case .noCommonMechanism: "it offers no way to log in that is known here"
      case .serverNotAuthentic: "it could not prove that it knows the password"
      case .contentUnavailable(let reason): "the message could not be read: \(reason)"
      }
    return "\(what) (\(stage.rawValue))"
  }
}
