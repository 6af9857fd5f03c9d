extension POP3Command {
  /// The header, the blank line and the first lines of the body.
  static let top = POP3Command(
    "TOP", "RFC 1939 §7",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      var arguments = arguments
      let number = try arguments.number("message number")
      let lines = try arguments.number("number of lines")
      try arguments.expectEnd()
      let content = try await maildrop.content(at: maildrop.index(of: number))
      try await session.transmit(content, MessageTransmission(bodyLines: lines)) { "top of message follows" }
    })
}
