package import MessageFormat
package import SMTP

/// A message with its envelope, for one destination.
package struct OutboundMessage: Sendable {
  package var sender: ReversePath
  /// What the sender asked for. SIZE, BODY and SMTPUTF8 are the session's business.
  package var parameters: MailParameters
  /// Never empty.
  package var recipients: [OutboundRecipient]
  package var content: MessageContent
  /// Makes the same message in 7 bits, for a server without 8BITMIME; nil where that can't be done.  RFC 6152 §3.
  package var sevenBitContent: (@Sendable () async throws -> MessageContent?)?

  package init(
    sender: ReversePath, parameters: MailParameters = MailParameters(), recipients: [OutboundRecipient],
    content: MessageContent, sevenBitContent: (@Sendable () async throws -> MessageContent?)? = nil
  ) {
    self.sender = sender
    self.parameters = parameters
    self.recipients = recipients
    self.content = content
    self.sevenBitContent = sevenBitContent
  }
}

package struct OutboundRecipient: Hashable, Sendable {
  package var address: EmailAddress
  package var parameters: RecipientParameters

  package init(_ address: EmailAddress, parameters: RecipientParameters = RecipientParameters()) {
    self.address = address
    self.parameters = parameters
  }
}

/// Header and body as they are to arrive, read piece by piece.
package struct MessageContent: Sendable {
  /// Octets.
  package var size: Int
  package var body: BodyType
  /// The header has other than ASCII, so the message may only go where SMTPUTF8 is offered.  RFC 6532. To be false for
  /// a message that came without SMTPUTF8, whatever stands in it: old programs write raw 8-bit headers.
  package var hasUTF8Header: Bool
  /// Returns octets from the beginning of the range: at least one, at most all of it. Called in order, each octet once.
  package var read: @Sendable (Range<Int>) async throws -> [UInt8]

  package init(
    size: Int, body: BodyType, hasUTF8Header: Bool, read: @escaping @Sendable (Range<Int>) async throws -> [UInt8]
  ) {
    self.size = size
    self.body = body
    self.hasUTF8Header = hasUTF8Header
    self.read = read
  }

  /// A message that is in memory; what it holds is looked up.
  package init(_ bytes: [UInt8]) {
    var hasUTF8Header = false
    bytes.withUnsafeBytes { bytes in
      let end = HeaderFields.headerEnd(in: bytes)
      hasUTF8Header = bytes[..<end].contains { $0 >= 0x80 }
    }
    let isEightBit = bytes.contains { $0 >= 0x80 }
    self.init(
      size: bytes.count, body: isEightBit ? .eightBit : .sevenBit, hasUTF8Header: hasUTF8Header,
      read: { Array(bytes[$0.clamped(to: 0..<bytes.count)]) })
  }
}
