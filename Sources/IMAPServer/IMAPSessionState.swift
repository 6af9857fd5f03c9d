import Authentication

/// RFC 9051 §3. What a state has is what exists: a selected mailbox lives only in `.selected`.
enum IMAPSessionState {
  case notAuthenticated
  case authenticated(AuthenticatedAccount)
  case selected(AuthenticatedAccount, SelectedMailbox)
  case loggedOut

  var account: AuthenticatedAccount? {
    switch self {
    case .authenticated(let account), .selected(let account, _): account
    case .notAuthenticated, .loggedOut: nil
    }
  }

  var mailbox: SelectedMailbox? {
    if case .selected(_, let mailbox) = self { mailbox } else { nil }
  }
}
