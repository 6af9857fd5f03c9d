import Authentication
import Bytes
import MailStore

/// `LSUB`.  RFC 3501 §6.3.9. With special uses, for Outlook 2013, and `\Noselect`, for Thunderbird.
struct ListSubscribed: AuthenticatedCommand {
  let reference: String
  let pattern: String

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    try arguments.expectSpace()
    let referenceBytes = try arguments.astring()
    reference =
      context.mailboxNames.decode(referenceBytes) ?? String(decoding: referenceBytes, as: UTF8.self)
    try arguments.expectSpace()
    pattern = try arguments.listMailbox(context.mailboxNames)
    try arguments.expectEnd()
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    if pattern.isEmpty {
      session.append(ListResponse(attributes: ["\\Noselect"], name: ""), as: "LSUB")
      return Completion("Listed")
    }
    let pattern = ListPattern(reference: reference, pattern: pattern)
    let mailboxes = try await fromStore(await session.services.store.mailboxes(of: account.id))
    let byName = Dictionary(mailboxes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let subscribed = try await fromStore(await session.services.store.subscriptions(of: account.id))

    var names = Set(subscribed.filter { pattern.matches($0) })
    // RFC 3501 §6.3.9: with `%`, a name that is not subscribed stands for the subscribed ones below it.
    var placeholders: Set<MailboxName> = []
    for name in subscribed where !names.contains(name) {
      var superior = name.parent
      while let current = superior {
        if pattern.matches(current), !names.contains(current) { placeholders.insert(current) }
        superior = current.parent
      }
    }
    names.formUnion(placeholders)

    for name in names.sorted(by: { ($0.isInbox ? 0 : 1, $0) < ($1.isInbox ? 0 : 1, $1) }) {
      var attributes: [String] = []
      if placeholders.contains(name) || byName[name]?.isSelectable != true { attributes.append("\\Noselect") }
      if !placeholders.contains(name), let use = byName[name]?.specialUse { attributes.append(use.rawValue) }
      session.append(ListResponse(attributes: attributes, name: name.text), as: "LSUB")
      try await session.flushIfFull()
    }
    return Completion("Listed")
  }
}
