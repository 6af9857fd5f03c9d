extension POP3Command {
  static let status = POP3Command(
    "STAT", "RFC 1939 §5",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      let (count, size) = try await maildrop.totals()
      session.reply("\(count) \(size)")
    })
}
