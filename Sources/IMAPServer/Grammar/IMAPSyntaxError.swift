/// A command that does not follow the grammar. It is answered with `BAD` and what was expected.
struct IMAPSyntaxError: Error, Hashable {
  /// Completes the sentence "expected …".
  let expected: String
  init(_ expected: String) { self.expected = expected }
}
