import Bytes

extension POP3Command {
  static let uniqueIDs = POP3Command(
    "UIDL", "RFC 1939 §7",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      var arguments = arguments
      if let number = try arguments.optionalNumber("message number") {
        try arguments.expectEnd()
        session.reply("\(number) \(maildrop.uniqueID(at: try maildrop.index(of: number)))")
        return
      }
      session.reply("unique-id listing follows")
      for index in maildrop.indices {
        try await session.write { output in
          output.append(decimal: index + 1)
          output.append(0x20)
          output.append(text: maildrop.uniqueID(at: index))
          output.append(literal: "\r\n")
        }
      }
      session.endOfLines()
    })
}
