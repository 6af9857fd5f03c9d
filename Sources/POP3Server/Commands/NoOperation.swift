extension POP3Command {
  static let noOperation = POP3Command(
    "NOOP", "RFC 1939 §5",
    .transaction { session, _, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      session.reply("still here")
    })
}
