package import SMTP

/// What became of a recipient in this session.
package enum RecipientOutcome: Hashable, Sendable {
  /// The server has taken the message over.
  case delivered(SMTPReply)
  case temporary(DeliveryProblem)
  case permanent(DeliveryProblem)

  init(_ problem: DeliveryProblem) {
    self = problem.status.category == 5 ? .permanent(problem) : .temporary(problem)
  }

  package var problem: DeliveryProblem? {
    switch self {
    case .delivered: nil
    case .temporary(let problem), .permanent(let problem): problem
    }
  }
}

package struct DeliveryProblem: Hashable, Sendable, CustomStringConvertible {
  package enum Reason: Hashable, Sendable {
    case refused(SMTPReply)
    /// The session came to an end before the recipient was decided.
    case host(HostFailure)
    /// The message is larger than the server said it takes.  RFC 1870 §6.1.
    case tooBig(limit: Int)
    /// 8-bit or binary content, and the server takes neither.  RFC 6152 §3, RFC 3030 §3.
    case conversionRequired
    /// RFC 6531 §3.5: an address that has no ASCII form.
    case utf8AddressNotSupported
    /// RFC 6531 §3.5: a header that has none.
    case utf8HeaderNotSupported
    /// RFC 8689 §4.2.1: the sender would rather not send at all.
    case requireTLSNotSupported
    /// RFC 2852 §4.1.4: it would be late, and the sender would rather have it back.
    case deliverByNotSupported
    case tooLate
  }

  package var stage: DialogueStage
  package var reason: Reason
  package var status: EnhancedStatus
  /// Whether another host of the same destination should be asked before it is tried again later.  RFC 5321 §5.1.
  package var triesNextHost: Bool

  private init(_ stage: DialogueStage, _ reason: Reason, _ status: EnhancedStatus, triesNextHost: Bool = false) {
    self.stage = stage
    self.reason = reason
    self.status = status
    self.triesNextHost = triesNextHost
  }

  /// - Parameter reply: 4xx or 5xx.
  init(_ stage: DialogueStage, refusedBy reply: SMTPReply) {
    let category: UInt16 = reply.isPermanentFailure ? 5 : 4
    // A server that takes no mail now may have a neighbour that does; a recipient it puts off (greylisting), the
    // neighbour would put off too.
    self.init(
      stage, .refused(reply), reply.status ?? EnhancedStatus(category, 0, 0),
      triesNextHost: category == 4 && stage == .mail)
  }

  init(_ failure: HostFailure) {
    self.init(failure.stage, .host(failure), failure.status, triesNextHost: failure.triesNextHost)
  }

  static func tooBig(limit: Int) -> Self { Self(.mail, .tooBig(limit: limit), EnhancedStatus(5, 3, 4)) }
  static let conversionRequired = Self(.mail, .conversionRequired, EnhancedStatus(5, 6, 3))
  static let utf8AddressNotSupported = Self(.recipient, .utf8AddressNotSupported, EnhancedStatus(5, 6, 7))
  static let utf8HeaderNotSupported = Self(.mail, .utf8HeaderNotSupported, EnhancedStatus(5, 6, 9))
  /// Another host of the destination may have it.
  static let requireTLSNotSupported = Self(
    .mail, .requireTLSNotSupported, EnhancedStatus(5, 7, 30), triesNextHost: true)

  /// Another host may be quicker.
  static let deliverByNotSupported = Self(
    .mail, .deliverByNotSupported, EnhancedStatus(5, 4, 7), triesNextHost: true)
  static let tooLate = Self(.mail, .tooLate, EnhancedStatus(5, 4, 7))

  /// The other server's words, where there are any.
  package var reply: SMTPReply? {
    switch reason {
    case .refused(let reply): reply
    case .host(let failure): failure.reply
    default: nil
    }
  }

  /// One line for the log.
  package var description: String {
    switch reason {
    case .refused(let reply): "\(reply) (\(stage.rawValue))"
    case .host(let failure): "\(failure)"
    case .tooBig(let limit): "the server takes at most \(limit) octets"
    case .conversionRequired: "the server takes only 7-bit messages"
    case .utf8AddressNotSupported: "the server takes only addresses in ASCII"
    case .utf8HeaderNotSupported: "the server takes only headers in ASCII"
    case .requireTLSNotSupported: "the server does not promise to pass the message on under TLS only"
    case .deliverByNotSupported: "the server does not promise to deliver the message in the time that is left"
    case .tooLate: "the time for it is over"
    }
  }
}

/// What became of a message.
package struct MessageResult: Sendable {
  /// One for each recipient, in order.
  package var outcomes: [RecipientOutcome]
  /// Why the session ended in it; nil: it may be used for the next message.
  package var failure: HostFailure?
  /// The server sees to reports of success from here on (RFC 3461 §5.2.1); if not, and one is wanted, a `relayed`
  /// report is ours to send (§5.2.2).
  package var passedOnDSN: Bool
  /// The same for a time of delivery (BY).  RFC 2852 §4.1.4.
  package var passedOnDeliverBy: Bool
}
