extension POP3Command {
  /// Only marks; QUIT removes.
  static let delete = POP3Command(
    "DELE", "RFC 1939 §5",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      var arguments = arguments
      let number = try arguments.number("message number")
      try arguments.expectEnd()
      maildrop.mark(at: try maildrop.index(of: number))
      session.reply("message \(number) deleted")
    })
}
