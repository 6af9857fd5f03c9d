import Delivery
import Logging
import MailStore
import MessageFormat
import Networking
import SMTP

/// What MAIL may ask for beyond taking the message: where it is offered, and what is refused of it.
extension SMTPSession {
  /// The extensions that a queue is needed for.
  ///
  /// REQUIRETLS is only spoken of under TLS (RFC 8689 §2). MT-PRIORITY and FUTURERELEASE are for those whom we know: a
  /// stranger's mail is not more urgent for saying so (RFC 6710), and RFC 4865 §3 is about submission.
  var requestsTaken: [SMTPExtension] {
    guard services.outgoing != nil else { return [] }
    var list: [SMTPExtension] = [.dsn]
    if role == .lmtp { return list }
    list.append(.deliverBy(minimum: services.limits.shortestDeliverBy))
    if connection.tls != nil { list.append(.requireTLS) }
    if role == .submission {
      list.append(.priority(policy: "MIXER"))
      list.append(
        .futureRelease(
          longest: Int(services.limits.longestHold.components.seconds), latest: latestRelease.rfc3339))
    }
    return list
  }

  private var latestRelease: Timestamp { services.clock.now().advanced(by: services.limits.longestHold) }

  /// Nil where everything that is asked for is offered and can be done.
  func refusal(of parameters: MailParameters) -> SMTPReply? {
    func unknown(_ keyword: String) -> SMTPReply { SMTPReply(SMTPSyntaxError.unknownParameter(keyword)) }
    let sends = services.outgoing != nil && role != .lmtp
    if parameters.requiresTLS, !sends || connection.tls == nil { return unknown("REQUIRETLS") }
    if parameters.priority != nil, !sends || role != .submission { return unknown("MT-PRIORITY") }
    if let request = parameters.deliverBy {
      guard sends else { return unknown("BY") }
      let shortest = services.limits.shortestDeliverBy
      if request.mode == .return, request.seconds < shortest {
        return SMTPReply(555, 5, 5, 4, "BY: this server promises nothing within less than \(shortest) seconds")
      }
    }
    if parameters.holdFor != nil || parameters.holdUntil != nil {
      guard sends, role == .submission else { return unknown(parameters.holdFor == nil ? "HOLDUNTIL" : "HOLDFOR") }
      if let release = release(of: parameters), release > latestRelease {
        return SMTPReply(501, 5, 5, 4, "The message would be held too long; the latest is \(latestRelease.rfc3339)")
      }
    }
    if let refused = parameters.solicitations?.first(where: { services.refusesSolicitation($0) }) {
      logger.notice(
        "solicitation_refused", metadata: ["rip": "\(connection.remoteAddress)", "keyword": "\(refused)"])
      return SMTPReply(550, 5, 7, 1, "Messages with SOLICIT=\(refused.prefix(200)) are not taken here")
    }
    return nil
  }

  /// Until when the message is to be kept back; nil where it is not.  RFC 4865 §4.
  func release(of parameters: MailParameters) -> Timestamp? {
    let now = services.clock.now()
    let release = parameters.holdFor.map { now.advanced(by: .seconds($0)) } ?? parameters.holdUntil
    return release.flatMap { $0 > now ? $0 : nil }
  }
}
