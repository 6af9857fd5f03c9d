import MailStore
import Synchronization

/// The exclusive locks on maildrops.  RFC 1939 §4: the server acquires one before the TRANSACTION state.
///
/// They keep POP3 sessions apart, whose message numbers and marks would contradict each other. IMAP sessions and
/// deliveries go on meanwhile.
package final class MaildropLocks: Sendable {
  private let locked = Mutex<Set<AccountID>>([])

  package init() {}

  /// The lock on the account's maildrop, or nil if another session has it.
  func lock(_ account: AccountID) -> MaildropLock? {
    locked.withLock { $0.insert(account).inserted } ? MaildropLock(account: account, locks: self) : nil
  }

  fileprivate func release(_ account: AccountID) { _ = locked.withLock { $0.remove(account) } }
}

/// A lock that is held as long as this lives: whatever way a session ends, it is released.
final class MaildropLock: Sendable {
  private let account: AccountID
  private let locks: MaildropLocks

  fileprivate init(account: AccountID, locks: MaildropLocks) {
    self.account = account
    self.locks = locks
  }

  deinit { locks.release(account) }
}
