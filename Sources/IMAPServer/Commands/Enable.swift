import Authentication
import Bytes

/// `ENABLE`.  RFC 9051 §6.3.1, RFC 5161. What we do not know is passed over.
struct Enable: AuthenticatedCommand {
  let names: [String]

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    var names: [String] = []
    repeat {
      try arguments.expectSpace()
      names.append(try arguments.keyword())
    } while arguments.peek == 0x20
    try arguments.expectEnd()
    self.names = names
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    session.output.append("* ENABLED")
    if names.contains("IMAP4REV2"), !session.speaksRev2 {
      session.speaksRev2 = true
      session.output.allowsUTF8 = true
      session.output.append(" IMAP4rev2")
    }
    session.output.endLine()
    return Completion("Done")
  }
}
