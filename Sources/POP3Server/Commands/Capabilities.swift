extension POP3Command {
  static let capabilities = POP3Command(
    "CAPA", "RFC 2449 §5",
    .anyState { session, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      session.reply("capability list follows")
      for capability in session.capabilities { session.line(capability) }
      session.endOfLines()
    })
}
