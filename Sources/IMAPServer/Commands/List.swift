import Authentication
import Bytes
import MailStore

/// `LIST`, plain and extended.  RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348.
/// Special uses are in plain answers too: without them Apple Mail makes its own "Sent Messages".
struct List: AuthenticatedCommand {
  let arguments: ListArguments

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    self.arguments = try ListArguments(parsing: &arguments, context.mailboxNames)
  }

  func run(in session: inout IMAPSession, as account: AuthenticatedAccount) async throws(IMAPFailure) -> Completion {
    // RFC 9051 §6.3.9: an empty pattern asks for the separator.
    if arguments.patterns == [""] {
      session.append(ListResponse(attributes: ["\\Noselect"], name: ""), as: "LIST")
      return Completion("Listed")
    }
    let patterns = arguments.patterns.map { ListPattern(reference: arguments.reference, pattern: $0) }
    let mailboxes = try await fromStore(await session.services.store.mailboxes(of: account.id))
    let tree = MailboxTree(mailboxes.map(\.name))
    let subscribed = try await subscriptions(session, account)
    let subscribedTree = MailboxTree(subscribed)
    let isSubscribed = Set(subscribed)

    for mailbox in mailboxes where patterns.contains(where: { $0.matches(mailbox.name) }) {
      let hasSubscribedInferior = arguments.matchesRecursively && subscribedTree.hasInferiors(mailbox.name)
      if arguments.onlySubscribed, !isSubscribed.contains(mailbox.name), !hasSubscribedInferior { continue }
      if arguments.onlySpecialUse, mailbox.specialUse == nil { continue }
      var attributes: [String] = []
      if !mailbox.isSelectable { attributes.append("\\Noselect") }
      if isSubscribed.contains(mailbox.name) { attributes.append("\\Subscribed") }
      attributes.append(tree.hasInferiors(mailbox.name) ? "\\HasChildren" : "\\HasNoChildren")
      if let use = mailbox.specialUse { attributes.append(use.rawValue) }
      session.append(
        ListResponse(
          attributes: attributes, name: mailbox.name.text, hasSubscribedInferior: hasSubscribedInferior),
        as: "LIST")
      if let items = arguments.returnsStatus, mailbox.isSelectable {
        try await session.appendStatus(items, of: mailbox)
      }
      try await session.flushIfFull()
    }
    if arguments.onlySubscribed, !arguments.onlySpecialUse {
      listMissing(subscribed, tree, subscribedTree, patterns, &session)
    }
    return Completion("Listed")
  }

  /// Only asked for where they show.
  private func subscriptions(_ session: IMAPSession, _ account: AuthenticatedAccount) async throws(IMAPFailure)
    -> [MailboxName]
  {
    guard arguments.onlySubscribed || arguments.returnsSubscribed else { return [] }
    return try await fromStore(await session.services.store.subscriptions(of: account.id))
  }

  /// Subscribed names that no mailbox has, and with RECURSIVEMATCH the names above them.
  private func listMissing(
    _ subscribed: [MailboxName], _ existing: MailboxTree, _ subscribedTree: MailboxTree, _ patterns: [ListPattern],
    _ session: inout IMAPSession
  ) {
    let isSubscribed = Set(subscribed)
    var names = isSubscribed
    if arguments.matchesRecursively { names.formUnion(subscribedTree.superiors) }
    for name in names.sorted() where !existing.contains(name) && patterns.contains(where: { $0.matches(name) }) {
      var attributes = ["\\NonExistent"]
      if isSubscribed.contains(name) { attributes.append("\\Subscribed") }
      attributes.append(existing.hasInferiors(name) ? "\\HasChildren" : "\\HasNoChildren")
      session.append(
        ListResponse(
          attributes: attributes, name: name.text,
          hasSubscribedInferior: arguments.matchesRecursively && subscribedTree.hasInferiors(name)),
        as: "LIST")
    }
  }
}

/// Which names lie above which.
struct MailboxTree: Sendable {
  private let names: Set<MailboxName>
  /// Every name that has another below it.
  let superiors: Set<MailboxName>

  init(_ names: [MailboxName]) {
    self.names = Set(names)
    var superiors: Set<MailboxName> = []
    for name in names {
      var superior = name.parent
      while let current = superior, superiors.insert(current).inserted { superior = current.parent }
    }
    self.superiors = superiors
  }

  func contains(_ name: MailboxName) -> Bool { names.contains(name) }
  func hasInferiors(_ name: MailboxName) -> Bool { superiors.contains(name) }
}
