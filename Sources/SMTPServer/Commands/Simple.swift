import SMTP

/// The commands that are answered and nothing more.
extension SMTPSession {
  /// RSET.  RFC 5321 §4.1.1.5.
  mutating func reset() {
    forgetTransaction()
    reply(SMTPReply(250, 2, 0, 0, "Ok"))
  }

  /// RFC 5321 §3.5.3 and §7.3: whether an address exists is not told before mail for it is offered.
  static let verifyReply = SMTPReply(252, 2, 0, 0, "Cannot VRFY; send the message and see")
  static let expandReply = SMTPReply(502, 5, 5, 1, "EXPN is not offered here")
  static let helpReply = SMTPReply(214, 2, 0, 0, "This is Martlet; the commands are those of RFC 5321")

  /// RFC 5321 §4.1.4.
  var badSequence: SMTPReply {
    switch state {
    case .new: SMTPReply(503, 5, 5, 1, role == .lmtp ? "Say LHLO first" : "Say EHLO first")
    case .greeted: SMTPReply(503, 5, 5, 1, "MAIL is needed first")
    case .transaction: SMTPReply(503, 5, 5, 1, "A message is under way already")
    case .chunks: SMTPReply(503, 5, 5, 1, "A message is under way; BDAT or RSET is expected")
    }
  }
}
