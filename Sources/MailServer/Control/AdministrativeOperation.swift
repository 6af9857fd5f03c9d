package import MailStore

/// What an administrator can ask for. Commands make one; the running server performs it, or the command itself where no
/// server holds the store.
package enum AdministrativeOperation: Codable, Hashable, Sendable {
  case status

  case addDomain(String)
  case removeDomain(String)
  case listDomains
  /// The keys by which a domain's mail is signed; made where it has none, or new ones in any case.
  case domainKeys(String, replaces: Bool)
  /// What DNS needs to know of a domain; nil means the only one.
  case mailDomain(String?)

  case addAccount(address: String, password: String?, quota: QuotaText)
  case removeAccount(String)
  case listAccounts
  case setPassword(address: String, password: String)
  /// Without a limit given: only asks.
  case quota(address: String, change: QuotaText?)

  /// The server makes the password; the reply shows it once.
  case addAppPassword(address: String, label: String)
  case listAppPasswords(address: String)
  case removeAppPassword(address: String, label: String)

  case accountDetails(String)
  /// Whom else an account may send as; without a change only asks.
  case sendAs(address: String, change: SendAsChange?)
  /// How much an account may send to other servers; without a change only asks.
  case sendingLimits(address: String, change: SendingLimitsChange?)

  /// A pattern of `@domain` answers for every address that nothing else answers for. Who may write to it is `anyone`,
  /// `members`, `domain`, or accounts separated by commas; nil leaves things as they were.
  case addAlias(pattern: String, targets: [String], senders: String? = nil, membersMaySend: Bool? = nil)
  case removeAlias(String)
  case listAliases

  /// Looks at everything in the store. A running server reads no more than so many octets a second; without a number,
  /// as many as leave the disk to others.
  case verifyStore(isThorough: Bool, octetsPerSecond: Int64?)
  /// Writes packs anew that have much that is no longer needed; reads and writes no more than so many octets a second, as
  /// for a verification.
  case compactStore(octetsPerSecond: Int64?)
  /// What the store holds, and, from a running server, what it measures of its work.
  case storeStatistics
  /// How far the search index is; before that, makes it anew where asked to. Whoever does not wait for it stops
  /// nothing.
  case searchIndex(rebuild: Bool)
  /// Copies the store into a directory, given by its absolute path, or brings the backup there up to date.
  case backUpStore(directory: String, verifies: Bool, octetsPerSecond: Int64?)
  /// Appends what is missing from the backup in a directory, given by its absolute path.
  case restoreMessages(directory: String, RestoreText)

  /// What waits for other servers, the oldest first.
  case listQueue(QueueFilterText, limit: Int)
  case changeQueue(QueueAction, QueueFilterText)

  /// Of one mailbox or all, the newest first; with `isDeleted`, those that can be restored.
  case listMessages(address: String, mailbox: String?, isDeleted: Bool, limit: Int)
  /// Either by their IDs, or all of a mailbox that were deleted since a day (`2026-05-17`, UTC).
  case undeleteMessages(address: String, ids: [String], mailbox: String?, since: String?, into: String?)

  /// Turns the control connection into a stream of mail to an account; a rehearsal only counts.
  case importMail(address: String, isRehearsal: Bool)
  /// Turns it into a stream of an account's mail: of these mailboxes, or of all where none is named.
  case exportMail(address: String, mailboxes: [String])
}

/// Limits in octets and messages; nil is no limit.
package struct QuotaText: Codable, Hashable, Sendable {
  package var bytes: Int64?
  package var messages: Int64?
  package init(bytes: Int64? = nil, messages: Int64? = nil) {
    self.bytes = bytes
    self.messages = messages
  }
}

/// What of a backup is restored, as the administrator wrote it.
package struct RestoreText: Codable, Hashable, Sendable {
  package var account: String
  package var mailbox: String?
  package var uid: UInt32?
  package var destination: String?
  package var isDryRun: Bool
  package init(
    account: String, mailbox: String? = nil, uid: UInt32? = nil, destination: String? = nil, isDryRun: Bool = false
  ) {
    self.account = account
    self.mailbox = mailbox
    self.uid = uid
    self.destination = destination
    self.isDryRun = isDryRun
  }
}

package enum AdministrativeReply: Codable, Hashable, Sendable {
  /// How far a long operation is; any number of these come before the reply itself.
  case progress(OperationProgress)
  /// In words, for a person.
  case done(String)
  case status(ServerStatus)
  case domains([String])
  case domainKeys([DomainKeySummary])
  case mailDomain(MailDomainSummary)
  case accounts([AccountSummary])
  case account(AccountSummary)
  case appPasswords([AppPasswordSummary])
  case appPassword(label: String, password: String)
  case accountDetails(AccountDetails)
  case sendAs([String])
  case sendingLimits([SendingLimitSummary])
  case aliases([AliasSummary])
  case verification(VerificationReport)
  case compaction(CompactionReport)
  case repair(RepairReport)
  case searchIndex(SearchIndexSummary)
  case statistics(StoreStatisticsReport)
  case backup(BackupReport)
  case restoredStore(WholeRestoreReport)
  case restoredMessages(RestoreReport)
  case messages(MessageList)
  case undeleted(UndeleteReport)
  case queue(QueueList)
  /// What follows on this connection is mail, in the frames of `MailTransfer`.
  case stream
  case failed(String)
}

package struct ServerStatus: Codable, Hashable, Sendable {
  package var version: String
  package var hostname: String
  package var isReady: Bool
  package var connections: Int
  package var listeners: [String]
  package init(version: String, hostname: String, isReady: Bool, connections: Int, listeners: [String]) {
    self.version = version
    self.hostname = hostname
    self.isReady = isReady
    self.connections = connections
    self.listeners = listeners
  }
}

package struct DomainKeySummary: Codable, Hashable, Sendable {
  package var selector: String
  package var algorithm: String
  /// `made` (its record is not in DNS yet), `published`, `signing`, `retired`.
  package var stage: String
  /// ISO 8601, UTC.
  package var since: String
  package var recordName: String
  package var record: String
  /// The record as a line of a zone file.
  package var zoneLine: String
}

package struct AccountSummary: Codable, Hashable, Sendable {
  package var address: String
  package var hasPassword: Bool
  package var appPasswords: [String]
  package var usage: QuotaText
  package var quota: QuotaText
}

package struct AppPasswordSummary: Codable, Hashable, Sendable {
  package var label: String
  /// ISO 8601, UTC.
  package var created: String
}

package struct AliasSummary: Codable, Hashable, Sendable {
  package var pattern: String
  package var targets: [String]
  package var senders: String
  package var membersMaySend: Bool
}

package struct StoreStatisticsReport: Codable, Hashable, Sendable {
  package var store: StoreStatistics
  package var searchIndex: SearchIndexSummary
  /// Of the store, since the server started; nil where none runs.
  package var metrics: [MetricSummary]?
}

package struct SearchIndexSummary: Codable, Hashable, Sendable {
  package enum Condition: String, Codable, Hashable, Sendable {
    /// Every message is in it.
    case current
    /// Some are not yet; searches look at these one by one.
    case behind
    /// Nothing is added to it; `reason` says why.
    case unavailable
  }

  package var condition: Condition
  package var reason: String?
  package var indexedMessages: Int
  package var waitingMessages: Int
  /// Messages with more text than it takes: they are looked at in every search.
  package var unlistedMessages: Int
  /// Of its file, in octets.
  package var size: Int64
}
