import Bytes

/// The facts of one trace field.  RFC 5321 §4.4.
package struct ReceivedField: Sendable {
  /// What the client said in EHLO, HELO or LHLO.
  package var heloName: String
  /// The address literal of the peer, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
  package var peer: String
  package var by: String
  /// `ESMTP`, `ESMTPS`, `ESMTPSA`, `UTF8SMTPS`, `LMTP`, …  RFC 3848, RFC 6531 §4.3.
  package var with: String
  package var id: String
  /// The recipient, only where there is exactly one.
  package var recipient: EmailAddress?
  /// Protocol version and cipher suite, for the comment.
  package var tls: String?
  package var date: DateTime

  package init(
    heloName: String, peer: String, by: String, with: String, id: String, recipient: EmailAddress?, tls: String?,
    date: DateTime
  ) {
    self.heloName = heloName
    self.peer = peer
    self.by = by
    self.with = with
    self.id = id
    self.recipient = recipient
    self.tls = tls
    self.date = date
  }

  /// The whole field, folded, with its final CRLF.
  package func encoded() -> [UInt8] {
    var text = "Received: from \(Self.safe(heloName)) (\(Self.safe(peer)))\r\n"
    text += "\tby \(Self.safe(by)) with \(Self.safe(with))"
    if let tls { text += " (\(Self.safe(tls, allowing: " ")))" }
    text += "\r\n\tid \(Self.safe(id))"
    if let recipient { text += "\r\n\tfor <\(recipient)>" }
    return Array((text + ";\r\n\t\(date.rfc5322)\r\n").utf8)
  }

  /// What a peer says about itself must not end a line, open a comment or grow without bound.
  private static func safe(_ text: String, allowing extra: Unicode.Scalar = "_") -> String {
    // As nearly every one is.
    if 1...255 ~= text.utf8.count, text.utf8.allSatisfy({ isSafe($0) || extra.value == $0 }) { return text }
    var result = ""
    for scalar in text.unicodeScalars.prefix(255) {
      let isSafe = scalar == extra || !scalar.isASCII || isSafe(UInt8(scalar.value))
      result.unicodeScalars.append(isSafe && !(0x80..<0xA0 ~= scalar.value) ? scalar : "?")
    }
    return result.isEmpty ? "unknown" : result
  }

  private static func isSafe(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x2D...0x3A, 0x2B, 0x3D, 0x5B, 0x5D, 0x5F: true  // `-./` and digits, `:+=[]_`
    default: byte.isIn(.alpha)
    }
  }
}
