import Bytes
package import MailStore
package import MessageFormat
package import SMTP

/// Makes of an accepted message what goes into the queue.
package struct OutgoingMail: Sendable {
  private let routes: OutboundRoutes
  private let schedule: RetrySchedule
  private let rewriting: SenderRewriting?
  private let keys: DomainKeys?
  private let clock: WallClock

  /// - Parameters:
  ///   - rewriting: nil: forwarded messages keep their senders, whatever SPF says to it.
  ///   - keys: nil: nothing is signed.
  package init(
    routes: OutboundRoutes = OutboundRoutes(), schedule: RetrySchedule, rewriting: SenderRewriting?, keys: DomainKeys?,
    clock: WallClock
  ) {
    self.routes = routes
    self.keys = keys
    self.schedule = schedule
    self.rewriting = rewriting
    self.clock = clock
  }

  /// Begins to sign what an account sends; nil where its author's domain has no key that signs.
  /// - Parameter header: as it will be sent, to the end of the header.
  package func signature(of header: [UInt8]) -> RunningSignature? {
    guard let author = Self.authorDomain(header) else { return nil }
    return RunningSignature(header: header, keys: keys?.identifiers(for: author) ?? [], now: clock.now())
  }

  /// The same for what has to be rewritten, be it an account's or the server's own.
  package func newSignature(of header: [UInt8]) -> RunningSignature? {
    guard let author = Self.authorDomain(header) else { return nil }
    return RunningSignature(header: header, keys: keys?.identifiers(covering: author) ?? [], now: clock.now())
  }

  /// Of the first author: whose keys sign.
  private static func authorDomain(_ header: [UInt8]) -> Domain? {
    guard let from = HeaderFields.first("From", in: header) else { return nil }
    let field = Array("From: ".utf8) + from + [0x0D, 0x0A]
    let authors = field.withUnsafeBytes { MessageStructure(parsing: $0) }.envelope.from
    return authors.lazy.compactMap { author in
      author.host.flatMap { String(validating: $0, as: UTF8.self) }.flatMap { Domain($0) }
    }.first
  }

  /// One message for those whom the client has named itself, and one for each alias that leads on, with the mark by which
  /// a circle is known (`Delivered-To`). Where the message is held back, one for those who have mailboxes here too.
  /// - Parameters:
  ///   - account: who submits it; nil for mail that comes from elsewhere.
  ///   - signature: DKIM-Signature fields, or nothing.
  ///   - release: nobody gets it before; nil where it is not held back.
  ///   - isLocal: whether a domain is ours.
  package func messages(
    for recipients: [AcceptedRecipient], from sender: EmailAddress?, account: AccountID?, _ parameters: MailParameters,
    received: ReceivedField, signature: [UInt8], release: Timestamp?, isLocal: (Domain) -> Bool
  ) -> [NewQueuedMessage] {
    var received = received
    // RFC 5321 §7.2: naming one of several would tell the others of it.
    received.recipient = recipients.count == 1 ? recipients[0].address : nil
    let trace = received.encoded() + signature
    let now = clock.now()
    let times = QueueTimes(parameters, schedule, now: now, release: release)
    var messages: [NewQueuedMessage] = []
    let direct = recipients.filter(\.isDirect)
    if !direct.isEmpty {
      messages.append(
        NewQueuedMessage(
          sender: sender, account: account, parameters, prefix: trace,
          recipients: direct.map { ($0.address, $0.parameters) }, times, routes))
    }
    for recipient in recipients where !recipient.isDirect && !recipient.elsewhere.isEmpty {
      var prefix: [UInt8] = []
      prefix.append(literal: "Delivered-To: ")
      prefix.append(text: recipient.address.description)
      prefix.append(literal: "\r\n")
      // A sender of ours may come from here; anybody else's domain knows nothing of us.
      let forwarded = sender.map { isLocal($0.domain) ? $0 : rewriting?.rewrite($0, at: now) ?? $0 }
      messages.append(
        NewQueuedMessage(
          sender: forwarded, account: account, parameters, prefix: prefix + trace,
          recipients: recipient.elsewhere.map { ($0, recipient.parameters) }, times, routes))
    }
    if release != nil {
      let held = recipients.filter { !$0.accounts.isEmpty }
      guard !held.isEmpty else { return messages }
      var message = NewQueuedMessage(
        sender: sender, account: account, parameters, prefix: received.encoded(),
        recipients: held.map { ($0.address, $0.parameters) }, times, routes)
      for index in message.recipients.indices { message.recipients[index].destination = HeldMail.destination }
      return messages + [message]
    }
    if let report = reportOfDelivery(to: recipients, from: sender, parameters, prefix: trace, now) {
      messages.append(report)
    }
    return messages
  }

  /// Who is told that it is in a mailbox here: nobody but those who asked.  RFC 3461 §4.1.
  private func reportOfDelivery(
    to recipients: [AcceptedRecipient], from sender: EmailAddress?, _ parameters: MailParameters, prefix: [UInt8],
    _ now: Timestamp
  ) -> NewQueuedMessage? {
    let delivered = recipients.filter { !$0.accounts.isEmpty && $0.parameters.notify?.contains(.success) == true }
    guard sender != nil, !delivered.isEmpty else { return nil }
    var message = NewQueuedMessage(
      sender: sender, account: nil, parameters, prefix: prefix,
      recipients: delivered.map { ($0.address, $0.parameters) },
      QueueTimes(MailParameters(), schedule, now: now, release: nil), routes)
    let note = DeliveryNote(.delivered, EnhancedStatus(2, 1, 5)).encoded
    for index in message.recipients.indices { message.recipients[index].result = note }
    return message
  }
}

extension NewQueuedMessage {
  init(
    sender: EmailAddress?, account: AccountID?, _ parameters: MailParameters, prefix: [UInt8],
    recipients: [(EmailAddress, RecipientParameters?)], assurance: QueueDestination.Assurance = .policy,
    _ times: QueueTimes, _ routes: OutboundRoutes
  ) {
    var parameters = parameters
    // Of the octets as they came in.
    parameters.size = nil
    parameters.holdFor = nil
    parameters.holdUntil = times.release
    parameters.deliverBy = times.deliverBy
    var mail: [UInt8] = []
    parameters.append(to: &mail)
    self.init(
      sender: sender, account: account, parameters: String(decoding: mail, as: UTF8.self), prefix: prefix,
      notBefore: times.notBefore, expires: times.expires, warns: times.warns, priority: parameters.priority ?? 0,
      recipients: recipients.map { address, parameters in
        var rcpt: [UInt8] = []
        parameters?.append(to: &rcpt, isUTF8: true)
        return NewQueuedRecipient(
          address: address,
          destination: routes.destination(of: address, from: sender, assurance: assurance).text,
          parameters: String(decoding: rcpt, as: UTF8.self))
      })
  }
}
