import MessageFormat
import SMTP

/// How a message is put to a server that offers what this one does: what of it can be said, and how.
struct TransactionPlan {
  let content: MessageContent
  /// The MAIL command with its line end.
  let mail: [UInt8]
  let form: DataEncoder.Form
  private let usesUTF8: Bool
  private let passesOnDSN: Bool
  private let asksForDelays: Bool

  /// Throws where no recipient of this server can be served.
  init(
    _ message: OutboundMessage, offered: EHLOResponse, security: SessionSecurity, usesChunking: Bool
  ) throws(Refusal) {
    let content = message.content
    if Self.needsConversion(content, offered) { throw Refusal(problem: .conversionRequired) }
    if let limit = offered.sizeLimit, content.size > limit { throw Refusal(problem: .tooBig(limit: limit)) }
    let needsUTF8 =
      content.hasUTF8Header || message.sender.address?.needsSMTPUTF8 == true
      || message.recipients.contains { $0.address.needsSMTPUTF8 }
    usesUTF8 = needsUTF8 && offered.contains(.smtpUTF8)
    if content.hasUTF8Header, !usesUTF8 { throw Refusal(problem: .utf8HeaderNotSupported) }
    // RFC 8689 §4.2.1: TLS with a host that is sure to be the right one, and its word that it goes on like that.
    var parameters = message.parameters
    if parameters.requiresTLS, !(security.isVerified && offered.contains(.requireTLS)) {
      // RFC 8689 §5: a report goes on all the same.
      guard message.sender == .null else { throw Refusal(problem: .requireTLSNotSupported) }
      parameters.requiresTLS = false
    }
    var asksForDelays = false
    if let request = parameters.deliverBy {
      let shortest = offered.shortestDeliverBy
      // RFC 2852 §4.1.4: what is to be in time or nowhere goes to nobody who does not promise it.
      if request.mode == .return, request.seconds <= 0 || shortest.map({ request.seconds < $0 }) ?? true {
        throw Refusal(problem: request.seconds <= 0 ? .tooLate : .deliverByNotSupported)
      }
      // RFC 2852 §4.1.4.2: who knows nothing of the time shall at least tell when it takes longer.
      asksForDelays = shortest == nil && request.mode == .notify
      if shortest == nil { parameters.deliverBy = nil }
    }
    self.asksForDelays = asksForDelays
    parameters.size = offered.offersSize ? content.size : nil
    parameters.body = content.body == .sevenBit ? nil : content.body
    parameters.usesUTF8 = usesUTF8
    passesOnDSN = offered.contains(.dsn)
    if !passesOnDSN {
      parameters.returnedContent = nil
      parameters.envelopeID = nil
    }
    if offered.mechanisms.isEmpty { parameters.submitter = nil }
    if !offered.offersPriority { parameters.priority = nil }
    if !offered.offersFutureRelease {
      parameters.holdFor = nil
      parameters.holdUntil = nil
    }
    if !offered.contains(.noSoliciting) { parameters.solicitations = nil }
    var mail = Array("MAIL FROM:<".utf8)
    if let address = message.sender.address {
      guard let address = usesUTF8 ? address : address.ascii else { throw Refusal(problem: .utf8AddressNotSupported) }
      mail.append(contentsOf: address.description.utf8)
    }
    mail.append(UInt8(ascii: ">"))
    parameters.append(to: &mail)
    self.mail = mail + [0x0D, 0x0A]
    self.content = content
    if content.body == .binary {
      form = .binary
    } else {
      form = usesChunking && offered.contains(.chunking) ? .lines : .dotted
    }
  }

  /// Why nobody can be served.
  struct Refusal: Error {
    var problem: DeliveryProblem
  }

  /// The RCPT command with its line end; nil where the address cannot be told to this server.
  func recipient(_ recipient: OutboundRecipient) -> [UInt8]? {
    guard let address = usesUTF8 ? recipient.address : recipient.address.ascii else { return nil }
    var command = Array("RCPT TO:<\(address)>".utf8)
    if passesOnDSN {
      var parameters = recipient.parameters
      if asksForDelays, parameters.notify != .never {
        parameters.notify = (parameters.notify ?? .failure).union(.delay)
      }
      if parameters.originalRecipient == nil, parameters.notify != nil, address != recipient.address {
        // The address is written another way from here on; the sender shall know it again.  RFC 6533 §3.
        parameters.originalRecipient = .init(type: "utf-8", address: Array(recipient.address.description.utf8))
      }
      parameters.append(to: &command, isUTF8: usesUTF8)
    }
    return command + [0x0D, 0x0A]
  }

  static func needsConversion(_ content: MessageContent, _ offered: EHLOResponse) -> Bool {
    switch content.body {
    case .sevenBit: false
    case .eightBit: !offered.contains(.eightBitMIME)
    case .binary: !(offered.contains(.binaryMIME) && offered.contains(.chunking))
    }
  }
}
