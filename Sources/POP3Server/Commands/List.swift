import Bytes

extension POP3Command {
  static let list = POP3Command(
    "LIST", "RFC 1939 §5",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      var arguments = arguments
      if let number = try arguments.optionalNumber("message number") {
        try arguments.expectEnd()
        session.reply("\(number) \(try await maildrop.size(at: maildrop.index(of: number)))")
        return
      }
      let (count, size) = try await maildrop.totals()
      // Sizes first: a failure must come before the listing has begun.
      try await maildrop.loadSizes()
      session.reply("\(count) messages (\(size) octets)")
      for index in maildrop.indices {
        let size = try await maildrop.size(at: index)
        try await session.write { output in
          output.append(decimal: index + 1)
          output.append(0x20)
          output.append(decimal: size)
          output.append(literal: "\r\n")
        }
      }
      session.endOfLines()
    })
}
