import Authentication
import Bytes
import MailStore

/// `CREATE`.  RFC 9051 §6.3.4, RFC 6154 §3. A separator at the end only says that there will be inferiors.
struct Create: AuthenticatedCommand {
  let mailbox: MailboxArgument
  /// Upper case, as the client wrote them otherwise.
  let uses: [String]

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    mailbox = try arguments.mailbox(context.mailboxNames)
    var uses: [String] = []
    if arguments.peek == 0x20, arguments.peek(ahead: 1) == 0x28 {
      try arguments.expectSpace()
      try arguments.list(minimum: 1) { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        guard cursor.skip(atom: "USE") else { throw cursor.expected("USE") }
        try cursor.expectSpace()
        try cursor.list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
          guard cursor.skip(0x5C) else { throw cursor.expected("a special use such as \\Sent") }
          uses.append("\\" + (try cursor.keyword()))
        }
      }
    }
    try arguments.expectEnd()
    self.uses = uses
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    let name = try mailbox.resolved()
    let use = try specialUse()
    _ = try await fromStore(await session.services.store.createMailbox(name, specialUse: use, of: account.id))
    return Completion("Created")
  }

  private func specialUse() throws(IMAPFailure) -> SpecialUse? {
    guard let text = uses.first else { return nil }
    guard uses.count == 1 else { throw .cannot(.useAttribute, "A mailbox has one special use here") }
    guard let use = SpecialUse.allCases.first(where: { $0.rawValue.uppercased() == text }) else {
      throw .cannot(.useAttribute, "This special use is not known here")
    }
    switch use {
    // RFC 6154 §2: these are views of other mailboxes' messages.
    case .all, .flagged: throw .cannot(.useAttribute, "A mailbox with this special use can't be made")
    case .archive, .drafts, .junk, .sent, .trash: return use
    }
  }
}
