import Bytes
import MailStore

/// `CLOSE`: expunges without a word, unless the mailbox is open read-only.  RFC 9051 §6.4.1.
struct Close: SelectedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    if mailbox.access == .readWrite {
      do throws(StoreError) {
        _ = try await session.services.store.expunge(in: mailbox.id, uids: nil, onlyDeleted: true)
      } catch .mailboxNotFound {
        // Another session has deleted it: there is nothing left to expunge.
      } catch {
        throw .store(error)
      }
    }
    session.unselect()
    return Completion("Closed")
  }
}

/// `UNSELECT`: leaves everything as it is.  RFC 9051 §6.4.2, RFC 3691.
struct Unselect: SelectedCommand, WithoutArguments {
  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    session.unselect()
    return Completion("Closed, nothing expunged")
  }
}

extension IMAPSession {
  fileprivate mutating func unselect() {
    if case .selected(let account, _) = state { state = .authenticated(account) }
  }
}
