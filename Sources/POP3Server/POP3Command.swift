/// A command as a fact: its name, where it is specified, and its body, whose type says which state it needs.
struct POP3Command: Sendable {
  /// In capitals, as in the RFC.
  let name: String
  let section: String
  let body: Body

  enum Body: Sendable {
    case authorization(@Sendable (inout POP3Session, POP3Arguments) async throws(POP3Failure) -> Void)
    case transaction(@Sendable (inout POP3Session, Maildrop, POP3Arguments) async throws(POP3Failure) -> Void)
    case anyState(@Sendable (inout POP3Session, POP3Arguments) async throws(POP3Failure) -> Void)
  }

  init(_ name: String, _ section: String, _ body: Body) {
    self.name = name
    self.section = section
    self.body = body
  }
}
