extension POP3Command {
  static let reset = POP3Command(
    "RSET", "RFC 1939 §5",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      try arguments.expectEnd()
      maildrop.unmarkAll()
      let (count, size) = try await maildrop.totals()
      session.reply("\(count) messages (\(size) octets)")
    })
}
