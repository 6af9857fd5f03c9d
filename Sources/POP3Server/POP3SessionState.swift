/// Where the dialogue is.  RFC 1939 §3. What a state has is what exists: without a maildrop there is nothing to delete.
///
/// The UPDATE state is no case of its own: it lasts from QUIT to its reply (`Commands/Quit.swift`).
enum POP3SessionState {
  /// The name that USER gave, until PASS.
  case authorization(user: [UInt8]?)
  case transaction(Maildrop)
  case ended
}
