extension POP3Command {
  /// Nothing that we send changes by it: replies are ASCII and messages go out as they came in, UTF-8 header or not.
  static let utf8 = POP3Command(
    "UTF8", "RFC 6856 §2.1",
    .authorization { session, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      guard !session.isUTF8 else { throw .utf8IsActive }
      session.isUTF8 = true
      session.reply("UTF8 enabled")
    })
}
