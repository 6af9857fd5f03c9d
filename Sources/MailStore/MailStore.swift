package import Logging
package import MessageFormat

package struct StoreOptions: Sendable {
  package var clock: WallClock
  package var logger: Logger
  /// Sum of bodies that may be in memory on their way in, in octets.
  package var stagingBudget: Int
  /// Bodies above this go to a file of their own.
  package var largeBodyThreshold: Int
  package init(
    clock: WallClock = .system, logger: Logger = Logger(label: "store"), stagingBudget: Int = 64 << 20,
    largeBodyThreshold: Int = 1 << 20
  ) {
    self.clock = clock
    self.logger = logger
    self.stagingBudget = stagingBudget
    self.largeBodyThreshold = largeBodyThreshold
  }
}

/// The one store. Invariants: commit, then publish, then return; a body is flushed before the commit that names it; UIDs are
/// never reused; counters are exact.
///
/// Reads run on a small pool of threads, writes on one; nothing here blocks the caller's thread.
package final class MailStore: Sendable {
  /// Opens or makes the store in `directory`, takes its lock, and puts right what a crash left behind.
  package static func open(at directory: String, options: StoreOptions = StoreOptions()) async throws(StoreError)
    -> MailStore
  { fatalError("skeleton") }

  /// Commits what is queued and releases the lock.
  package func close() async { fatalError("skeleton") }

  // MARK: Domains, accounts, aliases

  package var directory: Directory { fatalError("skeleton") }
  package func addDomain(_ domain: Domain) async throws(StoreError) { fatalError("skeleton") }
  /// Refuses while accounts or aliases are in it (`accountExists`, `addressExists`).
  package func removeDomain(_ domain: Domain) async throws(StoreError) { fatalError("skeleton") }
  /// Makes the account with INBOX, Drafts, Sent, Trash, Archive and Junk, all subscribed.
  package func addAccount(_ address: EmailAddress, secrets: [StoredSecret], quota: Quota) async throws(StoreError)
    -> AccountID
  { fatalError("skeleton") }
  package func removeAccount(_ id: AccountID) async throws(StoreError) { fatalError("skeleton") }
  package func setSecrets(_ secrets: [StoredSecret], of id: AccountID) async throws(StoreError) { fatalError("skeleton") }
  package func setAppPasswords(_ passwords: [AppPassword], of id: AccountID) async throws(StoreError) {
    fatalError("skeleton")
  }
  package func setQuota(_ quota: Quota, of id: AccountID) async throws(StoreError) { fatalError("skeleton") }
  package func quotaUsage(of id: AccountID) async throws(StoreError) -> QuotaUsage { fatalError("skeleton") }
  /// Adds or replaces.
  package func setAlias(_ alias: Alias) async throws(StoreError) { fatalError("skeleton") }
  package func removeAlias(_ pattern: Alias.Pattern) async throws(StoreError) { fatalError("skeleton") }

  // MARK: Mailboxes

  /// All mailboxes of the account in name order, INBOX first.
  package func mailboxes(of account: AccountID) async throws(StoreError) -> [Mailbox] { fatalError("skeleton") }
  package func mailbox(named name: MailboxName, of account: AccountID) async throws(StoreError) -> Mailbox? {
    fatalError("skeleton")
  }
  /// Makes missing parents too, as real mailboxes.
  package func createMailbox(_ name: MailboxName, specialUse: SpecialUse?, of account: AccountID) async throws(StoreError)
    -> Mailbox
  { fatalError("skeleton") }
  /// Renames with all inferiors. Renaming INBOX moves its messages to a new mailbox and leaves it empty.  RFC 9051 §6.3.6.
  package func renameMailbox(_ name: MailboxName, to newName: MailboxName, of account: AccountID) async throws(StoreError)
  { fatalError("skeleton") }
  /// A mailbox with children loses its messages and stays as a name that cannot be selected.
  package func deleteMailbox(_ name: MailboxName, of account: AccountID) async throws(StoreError) {
    fatalError("skeleton")
  }
  /// A subscription is to a name; the mailbox need not exist.  RFC 9051 §6.3.7.
  package func setSubscribed(_ subscribed: Bool, _ name: MailboxName, of account: AccountID) async throws(StoreError) {
    fatalError("skeleton")
  }
  /// Subscribed names in order, of mailboxes that exist or not.
  package func subscriptions(of account: AccountID) async throws(StoreError) -> [MailboxName] { fatalError("skeleton") }

  // MARK: Reading messages

  package func index(of mailbox: MailboxID) async throws(StoreError) -> MailboxIndex { fatalError("skeleton") }
  /// The entries that exist among `uids`, in UID order. Ask for some hundreds at a time.
  package func entries(in mailbox: MailboxID, uids: [UID]) async throws(StoreError) -> [MessageEntry] {
    fatalError("skeleton")
  }
  /// The structures of the bodies, in the order asked.
  package func structures(of contents: [ContentReference]) async throws(StoreError) -> [MessageStructure] {
    fatalError("skeleton")
  }
  /// Reads bytes of what the client sees (prefix, then body); the range is clamped to the message's size.
  package func read(_ content: ContentReference, range: Range<Int>) async throws(StoreError) -> [UInt8] {
    fatalError("skeleton")
  }
  /// Takes the right to call messages from `firstRecent` on recent; the next caller gets none of these.  RFC 3501 §2.3.2.
  package func claimRecent(in mailbox: MailboxID) -> UID { fatalError("skeleton") }

  // MARK: Writing messages

  package func stageBody(expectedSize: Int?) -> BodyStage { fatalError("skeleton") }
  /// All or none, in one commit.  RFC 3502.
  package func append(_ messages: [NewMessage], to mailbox: MailboxName, of account: AccountID) async throws(StoreError)
    -> AppendResult
  { fatalError("skeleton") }
  /// One body to many recipients in one commit; one over quota fails alone. Results in the order of `recipients`.
  package func deliver(_ body: StagedBody, to recipients: [LocalDelivery], internalDate: DateTime) async
    -> [Result<AppendResult, StoreError>]
  { fatalError("skeleton") }
  package func changeFlags(
    in mailbox: MailboxID, uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?
  ) async throws(StoreError) -> FlagResult { fatalError("skeleton") }
  /// Removes those of `uids` (all where nil) that are there and, with `onlyDeleted`, have `\Deleted`. Returns them in order.
  package func expunge(in mailbox: MailboxID, uids: [UID]?, onlyDeleted: Bool) async throws(StoreError) -> [UID] {
    fatalError("skeleton")
  }
  package func copy(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  { fatalError("skeleton") }
  /// As copy and expunge in one commit.  RFC 6851.
  package func move(_ uids: [UID], from source: MailboxID, to destination: MailboxName, of account: AccountID)
    async throws(StoreError) -> CopyResult
  { fatalError("skeleton") }

  // MARK: Changes

  /// `wake` is called, from any thread, when the queue turns from empty to not empty.
  package func subscribe(to account: AccountID, wake: @escaping @Sendable () -> Void) -> ChangeSubscription {
    fatalError("skeleton")
  }
}
