package import MessageFormat

/// What keeps the mail beneath a ``MailStore``. The one there is, ``SQLiteEngine``, keeps it in SQLite and packs; another
/// can stand in its place if the conformance suite (`Tests/MailStoreTests/Conformance`) passes with it.
///
/// What an engine owes:
/// - A change that `write` has returned from is durable, and has been given to the ``Publication`` the engine was made
///   with, in the order of commits, before `write` returns. One that threw has left nothing.
/// - `read` runs on one state, between two commits. Nothing it reads is half of a change.
/// - IDs, UIDs and mod-sequences ascend and are never given twice. Counters of mailboxes and quotas are exact.
/// - Neither blocks the caller's thread.
package protocol StorageEngine: Sendable {
  /// Domains, accounts and aliases as of the last commit.
  var directory: Directory { get }

  func read<Value: Sendable>(
    _ query: @escaping @Sendable (any StoreSnapshot) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value

  /// Runs the change together with others that wait, each in a savepoint of its own.
  /// - Parameter weight: octets of bodies that it stores.
  func write<Value: Sendable>(
    weight: Int, scope: WriteScope,
    _ change: @escaping @Sendable (any StoreTransaction) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value

  // MARK: Bodies

  /// Where a body goes on its way in, until a change takes it over.
  func stageBody(expectedSize: Int?) -> BodyStage
  /// Ranges are of what the client sees (prefix, then body), and clamped to the message's size.
  func read(_ pieces: [(content: ContentReference, range: Range<Int>)]) async throws(StoreError) -> [[UInt8]]
  /// Bodies that changes have said nobody needs any more. What stays is removed at a later start.
  func discard(_ bodies: [UnusedBody]) async throws(StoreError)

  // MARK: Searching

  /// In UID order; nil where every message comes into question. None for which the filter is true is left out.
  func candidates(for filter: SearchFilter, in mailbox: MailboxID) async throws(StoreError) -> [UID]?
  func searchIndexState() async throws(StoreError) -> SearchIndexState
  func rebuildSearchIndex()
  /// Returns when all that is committed now is in the index, or can't be brought there.
  func searchIndexHasCaughtUp(_ progress: @escaping ProgressHandler) async

  // MARK: The whole

  func statistics() async throws(StoreError) -> StoreStatistics
  func verify(_ options: VerificationOptions, progress: @escaping ProgressHandler) async throws(StoreError)
    -> VerificationReport
  func backUp(to directory: String, options: BackupOptions, progress: @escaping ProgressHandler)
    async throws(StoreError) -> BackupReport
  /// Gives back the room of bodies that nobody needs any more. A close ends it first.
  func compact(_ options: CompactionOptions, progress: @escaping ProgressHandler) async throws(StoreError)
    -> CompactionReport
  /// Commits what waits, and lets go of everything.
  func close() async
  /// As `close`, without waiting.
  func requestClose()
}

/// What a change does at the most. The less it is, the cheaper an engine may make it durable.
package enum WriteScope: Sendable {
  /// It only calls `append`, `deliver` and `count`, and no body is large. An engine may put off what these leave to do
  /// until the commit.
  case additions
  /// Besides, it calls `changeFlags`, `expunge`, `copyEntries`, `moveEntries`, `settle`, and `note` with nothing but
  /// outcomes. When attempts were made and are to be made, and what was counted, may be what it was a moment ago after a
  /// power cut.
  case entriesAndQueue
  case anything
}

/// One unchanging state of what an engine keeps.
package protocol StoreSnapshot {
  func usage(of account: AccountID) throws(StoreError) -> QuotaUsage
  func accountExists(_ account: AccountID) throws(StoreError) -> Bool

  /// In name order, INBOX first.
  func mailboxes(of account: AccountID) throws(StoreError) -> [Mailbox]
  func mailbox(named name: MailboxName, of account: AccountID) throws(StoreError) -> Mailbox?
  func subscriptions(of account: AccountID) throws(StoreError) -> [MailboxName]

  func index(of mailbox: MailboxID) throws(StoreError) -> MailboxIndex
  func entries(in mailbox: MailboxID, uids: [UID]) throws(StoreError) -> [MessageEntry]
  func describedEntries(in mailbox: MailboxID, uids: [UID]) throws(StoreError) -> DescribedEntries
  func structures(of contents: [ContentReference]) throws(StoreError) -> [MessageStructure]
  /// In any order.
  func expunged(in mailbox: MailboxID, after modSequence: ModSequence) throws(StoreError) -> [ClosedRange<UInt32>]
  /// The newest first.
  func messages(in mailbox: Mailbox, limit: Int) throws(StoreError) -> [ListedMessage]
  /// How often each content is in a mailbox.
  func contents(of mailbox: MailboxID) throws(StoreError) -> [ContentKey: Int]

  /// The last deleted first.
  func deletedMessages(of account: AccountID, in mailbox: MailboxName?, since: Timestamp?, limit: Int)
    throws(StoreError) -> [ListedMessage]
  /// In the order of their mailboxes and UIDs.
  func deletedKeys(_ selection: DeletedSelection, of account: AccountID) throws(StoreError) -> [RecordedDeletionKey]
  /// Accounts, also ones that are gone, in which something was deleted at `time` or before.
  func accountsToPurge(upTo time: Timestamp) throws(StoreError) -> [AccountID]

  func knownImport(_ identity: String, of account: AccountID) throws(StoreError) -> ImportID?
  /// For each key the flags that its message had in the origin when last looked at; nil where it has not come.
  func importedFlags(_ keys: [[UInt8]], from id: ImportID) throws(StoreError) -> [MessageFlags?]

  // The queue: see the functions of MailStore with these names.

  /// For which something is due: see `QueueLook`.
  func dueDestinations(
    at time: Timestamp, without busy: Set<String>, _ room: QueueRoom
  ) throws(StoreError) -> [QueuedDestination]
  /// When something is due next that at `time` is not yet.
  func nextQueueEvent(after time: Timestamp) throws(StoreError) -> Timestamp?
  func dueDeliveries(
    for destination: String, at time: Timestamp, after last: AccountID?, without taken: Set<QueueID>, limit: Int
  ) throws(StoreError) -> [QueuedDelivery]
  func dueReports(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery]
  func lateMessages(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery]
  func expiredMessages(at time: Timestamp, limit: Int) throws(StoreError) -> [QueuedDelivery]
  func queuedWays(after last: QueuedRecipientID?, limit: Int) throws(StoreError) -> [QueuedWay]
  /// What the queue was last routed by; nil where nobody knows.
  func queueRoutes() throws(StoreError) -> Int64?
  func queuedDestination(_ name: String) throws(StoreError) -> QueuedDestination?
  func queuedMessages(_ filter: QueueFilter, after last: QueueID?, limit: Int) throws(StoreError) -> [QueuedDelivery]
  func queueSummary() throws(StoreError) -> QueueSummary
  func transportPolicy(of domain: String) throws(StoreError) -> TransportPolicy?
  func sendingUse(of account: AccountID, at time: Timestamp) throws(StoreError) -> SendingUse
  func knownRecipients(_ recipients: Set<RecipientKey>, of account: AccountID, at time: Timestamp)
    throws(StoreError) -> Set<RecipientKey>
  func transportResults(_ key: TransportResults.Key) throws(StoreError) -> TransportResults?
  /// In their order.
  func transportResults(before day: Int, limit: Int) throws(StoreError) -> [TransportResults.Key]
  func transportResultsCount(of day: Int) throws(StoreError) -> Int
  /// In the order of domains and selectors.
  func signingKeys() throws(StoreError) -> [KeptSigningKey]
}

/// What a change can do; each function is all done or throws and has done nothing. See the functions of MailStore with
/// these names.
package protocol StoreTransaction {
  func addDomain(_ domain: Domain) throws(StoreError)
  func removeDomain(_ domain: Domain) throws(StoreError)
  func addAccount(_ address: EmailAddress, secrets: [StoredSecret], quota: Quota) throws(StoreError) -> AccountID
  func removeAccount(_ id: AccountID) throws(StoreError)
  func setSecrets(_ secrets: [StoredSecret], of id: AccountID) throws(StoreError)
  func setAppPasswords(_ passwords: [AppPassword], of id: AccountID) throws(StoreError)
  func setQuota(_ quota: Quota, of id: AccountID) throws(StoreError)
  func setSendAs(_ patterns: [SenderPattern], of id: AccountID) throws(StoreError)
  func setSendingLimits(_ limits: SendingLimits, of id: AccountID) throws(StoreError)
  func setAlias(_ alias: Alias) throws(StoreError)
  func removeAlias(_ pattern: Alias.Pattern) throws(StoreError)

  func createMailbox(_ name: MailboxName, specialUse: SpecialUse?, of account: AccountID) throws(StoreError) -> Mailbox
  func renameMailbox(_ name: MailboxName, to newName: MailboxName, of account: AccountID) throws(StoreError)
  func deleteMailbox(_ name: MailboxName, of account: AccountID) throws(StoreError)
  func setSubscribed(_ subscribed: Bool, _ name: MailboxName, of account: AccountID) throws(StoreError)

  func append(_ messages: [NewMessage], to mailbox: MailboxName, of account: AccountID) throws(StoreError)
    -> AppendResult
  func deliver(_ body: StagedBody, to recipients: [LocalDelivery], queued: [NewQueuedMessage], date: DateTime)
    throws(StoreError) -> [Result<AppendResult, StoreError>]
  func changeFlags(in mailbox: MailboxID, uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?)
    throws(StoreError) -> FlagResult
  func expunge(in mailbox: MailboxID, uids: [UID]?, onlyDeleted: Bool) throws(StoreError) -> [UID]
  func copyEntries(_ uids: [UID], from source: MailboxID, to name: MailboxName, of account: AccountID)
    throws(StoreError) -> CopyResult
  func moveEntries(_ uids: [UID], from source: MailboxID, to name: MailboxName, of account: AccountID)
    throws(StoreError) -> CopyResult

  func openImport(_ origin: ImportOrigin, of account: AccountID) throws(StoreError) -> ImportTarget
  /// Of offers that are known and whose flags are others there.
  func bringFlags(_ offers: [ImportOffer], from id: ImportID) throws(StoreError)
  func importMessages(_ messages: [ImportedMessage], from id: ImportID) throws(StoreError) -> ImportResult
  func closeImport(_ id: ImportID, uidNext: UID?) throws(StoreError) -> ImportTarget

  func restore(_ keys: [RecordedDeletionKey], of account: AccountID, into name: MailboxName?) throws(StoreError)
    -> [RestoredMessage]
  /// A bounded piece of what is over.
  func purge(upTo time: Timestamp, of account: AccountID) throws(StoreError) -> PurgedPiece

  func note(_ progress: QueueProgress) throws(StoreError) -> [UnusedBody]
  func count(_ sent: SentMessage) throws(StoreError)
  func settle(destination: String, _ outcome: DestinationOutcome) throws(StoreError) -> Timestamp?
  func moveQueue(by offset: Duration) throws(StoreError)
  func hastenQueue(beyond limit: Timestamp) throws(StoreError)
  func reroute(_ moves: [(recipient: QueuedRecipientID, destination: String)]) throws(StoreError)
  func setQueueRoutes(_ mark: Int64) throws(StoreError)
  func setSigningKey(_ key: KeptSigningKey) throws(StoreError)
  func removeSigningKey(_ selector: String, of domain: Domain) throws(StoreError)
  func setTransportPolicy(_ policy: TransportPolicy, of domain: String) throws(StoreError)
  func setTransportResults(_ results: [TransportResults]) throws(StoreError)
  func removeTransportResults(_ key: TransportResults.Key) throws(StoreError)
  func perform(_ action: QueueAction, on messages: [QueueID], _ filter: QueueFilter) throws(StoreError)
    -> (recipients: Int, unused: [UnusedBody])
}

/// A body in a file of its own that nobody needs any more.
package struct UnusedBody: Hashable, Sendable {
  package let id: Int64
  package init(id: Int64) { self.id = id }
}
