import SMTP

extension SMTPSession {
  /// EHLO, HELO, LHLO.  RFC 5321 §4.1.1.1, RFC 2033 §4.1.
  mutating func hello(_ hello: SMTPCommand.Hello, _ name: String) throws(SessionEnd) {
    switch (role, hello) {
    case (.lmtp, .lhlo), (.exchange, .ehlo), (.exchange, .helo), (.submission, .ehlo), (.submission, .helo): break
    case (.lmtp, _): return try refuse(SMTPReply(500, 5, 5, 1, "This is LMTP; say LHLO"))
    case (_, .lhlo): return try refuse(SMTPReply(500, 5, 5, 1, "This is SMTP; say EHLO"))
    }
    // RFC 5321 §4.1.4: a new hello ends the transaction.
    forgetTransaction()
    state = .greeted(Greeting(hello: hello, name: name))
    switch hello {
    case .helo: reply(SMTPReply(250, nil, [services.hostname]))
    case .ehlo, .lhlo: reply(SMTPReply(250, nil, [services.hostname] + capabilities.map(\.description)))
    }
  }
}
