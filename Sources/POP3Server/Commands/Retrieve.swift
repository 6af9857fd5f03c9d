import MailStore

extension POP3Command {
  static let retrieve = POP3Command(
    "RETR", "RFC 1939 §5",
    .transaction { session, maildrop, arguments throws(POP3Failure) in
      var arguments = arguments
      let number = try arguments.number("message number")
      try arguments.expectEnd()
      let content = try await maildrop.content(at: maildrop.index(of: number))
      try await session.transmit(content, MessageTransmission()) { "\(content.size) octets" }
    })
}

extension POP3Session {
  /// Sends a message, or as much of it as `transmission` wants, a chunk at a time.
  mutating func transmit(_ content: ContentReference, _ transmission: MessageTransmission, reply text: () -> String)
    async throws(POP3Failure)
  {
    var transmission = transmission
    var position = 0
    repeat {
      let chunk: [UInt8]
      do {
        chunk = try await services.store.read(content, range: position..<position + services.limits.chunk)
      } catch {
        // Once `+OK` has been said, only breaking off tells the client that this is not the whole message.
        throw position == 0 ? .store(error) : .brokenOff(error)
      }
      if position == 0 { reply(text()) }
      if chunk.isEmpty { break }
      position += chunk.count
      try await write { transmission.append(chunk, to: &$0) }
    } while position < content.size && !transmission.isComplete
    try await write { transmission.finish(&$0) }
  }
}
