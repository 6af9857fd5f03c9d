/// One key of the configuration as facts: its name, what it means, how text becomes its value and the value text.
struct Setting: Sendable {
  /// The path in the file, its levels joined by dots: `limits.message_size`.
  let path: String
  /// What it means, for the reference file; a line each.
  let about: [String]
  /// What the reference file shows after the key.
  let example: String
  let change: Change
  let form: Form
  /// The value in effect, an element each for a list.
  let values: @Sendable (Configuration) -> [String]

  enum Change: Sendable {
    /// SIGHUP is enough.
    case live
    case restart
  }

  enum Form: Sendable {
    case scalar(@Sendable (inout Configuration, String) throws(EntryProblem) -> Void)
    case list(fields: [String], set: @Sendable (inout Configuration, [ListEntry]) -> [Int: EntryProblem])
  }

  /// `limits.message_size` is `MARTLET_LIMITS_MESSAGE_SIZE`.
  var environmentName: String { "MARTLET_" + path.uppercased().map { $0 == "." ? "_" : String($0) }.joined() }
}

/// One entry of a list: short text, or a mapping whose fields have one or several values.
enum ListEntry: Sendable {
  case text(String)
  case fields([String: [String]])
}

/// Why a value or an entry cannot be taken: what was expected instead, and which of the entry's fields is at fault.
struct EntryProblem: Error, Hashable {
  var field: String?
  var expected: String
  init(field: String? = nil, expected: String) {
    self.field = field
    self.expected = expected
  }
}

/// A value as it is shown in an error.
func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0) }.joined()
  return "\"\(shown)\""
}
