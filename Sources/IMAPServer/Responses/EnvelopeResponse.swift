import Bytes
import MessageFormat

/// `envelope`.  RFC 9051 §7.5.2.
extension ResponseBuffer {
  mutating func append(_ envelope: Envelope) {
    append(0x28)
    appendField(envelope.date)
    append(0x20)
    appendField(envelope.subject)
    append(0x20)
    append(envelope.from)
    append(0x20)
    // RFC 9051 §7.5.2: where they are absent or empty, the server puts in what From has.
    append(envelope.sender.isEmpty ? envelope.from : envelope.sender)
    append(0x20)
    append(envelope.replyTo.isEmpty ? envelope.from : envelope.replyTo)
    append(0x20)
    append(envelope.to)
    append(0x20)
    append(envelope.cc)
    append(0x20)
    append(envelope.bcc)
    append(0x20)
    appendField(envelope.inReplyTo)
    append(0x20)
    appendField(envelope.messageID)
    append(0x29)
  }

  /// Addresses without a space between them, `NIL` for none.
  private mutating func append(_ addresses: [EnvelopeAddress]) {
    if addresses.isEmpty { return append("NIL") }
    append(0x28)
    for address in addresses {
      append(0x28)
      appendField(address.name)
      append(0x20)
      appendField(address.route)
      append(0x20)
      appendField(address.mailbox)
      append(0x20)
      appendField(address.host)
      append(0x29)
    }
    append(0x29)
  }

  /// `nstring`, quick for what nearly all fields are: short ASCII without anything to escape.
  mutating func appendField(_ value: [UInt8]?) {
    guard let value else { return append("NIL") }
    guard value.count <= 1000, value.allAre(in: .plainQuoted) else { return append(string: value) }
    bytes.append(0x22)
    bytes.append(contentsOf: value)
    bytes.append(0x22)
  }
}
