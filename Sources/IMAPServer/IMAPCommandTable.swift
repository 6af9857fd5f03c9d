/// What is known of a command before it is parsed.
struct IMAPCommandFact: Sendable {
  /// In upper case; two words for the UID forms.
  let name: String
  /// The state it needs, with the type that serves it.
  let state: State
  /// What it does to sequence numbers.
  let numbers: SequenceNumberEffect
  /// Where it is defined.
  let source: StaticString
  var numbering: MessageNumbering { name.hasPrefix("UID ") ? .uids : .sequenceNumbers }

  enum State: Sendable {
    case any(any AnyStateCommand.Type)
    case notAuthenticated(any NotAuthenticatedCommand.Type)
    case authenticated(any AuthenticatedCommand.Type)
    case selected(any SelectedCommand.Type)
  }

  enum SequenceNumberEffect: Sendable {
    /// Expunges may be told before its tagged reply.
    case mayShrink
    /// RFC 9051 §7.5.1: no EXPUNGE while it is under way.
    case keeps
  }

  init(_ name: String, _ state: State, _ numbers: SequenceNumberEffect, _ source: StaticString) {
    self.name = name
    self.state = state
    self.numbers = numbers
    self.source = source
  }
}

/// Every command, one line each.
enum IMAPCommandTable {
  static let facts: [IMAPCommandFact] = [
    .init("CAPABILITY", .any(CapabilityCommand.self), .mayShrink, "RFC 9051 §6.1.1"),
    .init("NOOP", .any(Noop.self), .mayShrink, "RFC 9051 §6.1.2"),
    .init("LOGOUT", .any(Logout.self), .keeps, "RFC 9051 §6.1.3"),
    .init("ID", .any(Identify.self), .mayShrink, "RFC 2971"),

    .init("STARTTLS", .notAuthenticated(StartTLS.self), .keeps, "RFC 9051 §6.2.1"),
    .init("AUTHENTICATE", .notAuthenticated(Authenticate.self), .keeps, "RFC 9051 §6.2.2, RFC 4959"),
    .init("LOGIN", .notAuthenticated(Login.self), .keeps, "RFC 9051 §6.2.3"),

    .init("ENABLE", .authenticated(Enable.self), .mayShrink, "RFC 9051 §6.3.1, RFC 5161"),
    .init("SELECT", .authenticated(Select.self), .keeps, "RFC 9051 §6.3.2"),
    .init("EXAMINE", .authenticated(Examine.self), .keeps, "RFC 9051 §6.3.3"),
    .init("CREATE", .authenticated(Create.self), .mayShrink, "RFC 9051 §6.3.4, RFC 6154 §3"),
    .init("DELETE", .authenticated(Delete.self), .mayShrink, "RFC 9051 §6.3.5"),
    .init("RENAME", .authenticated(Rename.self), .mayShrink, "RFC 9051 §6.3.6"),
    .init("SUBSCRIBE", .authenticated(Subscribe.self), .mayShrink, "RFC 9051 §6.3.7"),
    .init("UNSUBSCRIBE", .authenticated(Unsubscribe.self), .mayShrink, "RFC 9051 §6.3.8"),
    .init("LIST", .authenticated(List.self), .mayShrink, "RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154"),
    .init("LSUB", .authenticated(ListSubscribed.self), .mayShrink, "RFC 3501 §6.3.9"),
    .init("NAMESPACE", .authenticated(Namespace.self), .mayShrink, "RFC 9051 §6.3.10, RFC 2342"),
    .init("STATUS", .authenticated(Status.self), .mayShrink, "RFC 9051 §6.3.11, RFC 8438"),
    .init("APPEND", .authenticated(Append.self), .mayShrink, "RFC 9051 §6.3.12, RFC 3502, RFC 3516, RFC 7889"),
    .init("IDLE", .authenticated(Idle.self), .mayShrink, "RFC 9051 §6.3.13, RFC 2177"),

    .init("CHECK", .selected(Check.self), .mayShrink, "RFC 3501 §6.4.1"),
    .init("CLOSE", .selected(Close.self), .mayShrink, "RFC 9051 §6.4.1"),
    .init("UNSELECT", .selected(Unselect.self), .mayShrink, "RFC 9051 §6.4.2, RFC 3691"),
    .init("EXPUNGE", .selected(Expunge.self), .mayShrink, "RFC 9051 §6.4.3"),
    .init("UID EXPUNGE", .selected(UIDExpunge.self), .mayShrink, "RFC 9051 §6.4.9, RFC 4315"),
    .init("FETCH", .selected(Fetch.self), .keeps, "RFC 9051 §6.4.5, RFC 3516"),
    .init("UID FETCH", .selected(Fetch.self), .mayShrink, "RFC 9051 §6.4.9"),
    .init("SEARCH", .selected(Search.self), .keeps, "RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 5182"),
    .init("UID SEARCH", .selected(Search.self), .mayShrink, "RFC 9051 §6.4.9"),
    .init("STORE", .selected(Store.self), .keeps, "RFC 9051 §6.4.6"),
    .init("UID STORE", .selected(Store.self), .mayShrink, "RFC 9051 §6.4.9"),
    .init("COPY", .selected(Copy.self), .mayShrink, "RFC 9051 §6.4.7, RFC 4315"),
    .init("UID COPY", .selected(Copy.self), .mayShrink, "RFC 9051 §6.4.9"),
    .init("MOVE", .selected(Move.self), .mayShrink, "RFC 9051 §6.4.8, RFC 6851"),
    .init("UID MOVE", .selected(Move.self), .mayShrink, "RFC 9051 §6.4.9"),
  ]

  private static let byName = Dictionary(uniqueKeysWithValues: facts.map { ($0.name, $0) })

  static func fact(named name: String) -> IMAPCommandFact? { byName[name] }
}
