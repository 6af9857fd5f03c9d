/// A change of what is not a body, as it stands in a pack: what is there afterwards, so that the last one counts.
///
/// Change records, read in order together with the placements of the bodies, say all that `store.db` says.
enum RecordedChange: Hashable, Sendable {
  case domain(String)
  case domainRemoved(String)
  case account(RecordedAccount)
  /// With its mailboxes, subscriptions and app passwords.
  case accountRemoved(Int64, at: Int64)
  /// All of them.
  case appPasswords(account: Int64, [RecordedPassword])
  case alias(RecordedAlias)
  case aliasRemoved(pattern: String)
  case subscribed(account: Int64, name: String)
  case unsubscribed(account: Int64, name: String)
  case mailbox(RecordedMailbox)
  /// Its entries were removed before, each with its run.
  case mailboxRemoved(Int64)
  /// New ones by COPY and MOVE, and known ones whose flags have changed, in ascending UID order.
  case entries(mailbox: Int64, [RecordedEntry])
  /// Moved away.
  case removed(mailbox: Int64, modSequence: Int64, at: Int64, [ClosedRange<UInt32>])
  /// Deleted, and kept for a time under the name that the mailbox has then.
  case expunged(mailbox: Int64, name: String, modSequence: Int64, at: Int64, [ClosedRange<UInt32>])
  /// Entries that are no longer among the deleted: the change has given their messages new ones.
  case restored(account: Int64, [RecordedDeletionKey])
  /// The time of these deleted entries is over: all up to this one.
  case deletionsPurged(account: Int64, upTo: RecordedDeletionKey)
  /// Gone for good, with the bodies that no other message has.
  case messagesPurged([Int64])
  /// The bodies stand before.
  case queued(RecordedQueuedMessage)
  /// Recipients that are done with; a message without recipients is gone, and its body where nothing else has it.
  case unqueued(message: Int64, positions: [Int64])
  /// Recipients whose state has changed otherwise.
  case queueState(message: Int64, positions: [Int64], state: UInt8, result: String)
  /// A mailbox elsewhere that mail is imported from, and how far that is.
  case importOrigin(RecordedImport)
  /// Messages that have come from it, or whose flags there are others now.
  case imported(import: Int64, [RecordedImportedMessage])
  case signingKey(RecordedSigningKey)
  case signingKeyRemoved(domain: String, selector: String)
  case sendingRules(RecordedSendingRules)

  // A baseline: all there is, for which nothing before it is needed. Whatever is not named is not there. Imports are
  // named in it by the changes above.

  case directory(domains: [String], accounts: [Int64], aliases: [String])
  case mailboxes(account: Int64, [Int64], subscriptions: [String])
  /// All entries of the mailbox within the range.
  case exactEntries(mailbox: Int64, ClosedRange<UInt32>, [RecordedEntry])
  case vanished(mailbox: Int64, [RecordedRun])
  /// Messages that are in no mailbox and can still be restored.
  case deleted([RecordedDeletion])
  /// Of all accounts together no others are there than those between the baseline's begin and end.
  case deletedEntries(account: Int64, [RecordedDeletedEntry])
  /// The baseline that began there is complete.
  case baselineEnd(PackPosition)

  /// Of a newer version.
  case unknown(UInt8)
}

/// A place in the packs.
struct PackPosition: Hashable, Comparable, Sendable {
  var segment: Int64
  var offset: Int64
  static func < (left: Self, right: Self) -> Bool { (left.segment, left.offset) < (right.segment, right.offset) }
}

/// Texts are as the columns of `store.db` have them.
struct RecordedAccount: Hashable, Sendable {
  var id: Int64
  var localPart: String
  var domain: String
  var secrets: String
  var quotaBytes: Int64?
  var quotaMessages: Int64?
  var lastUIDValidity: UInt32
}

struct RecordedPassword: Hashable, Sendable {
  var label: String
  var secrets: String
  var created: Int64
}

struct RecordedAlias: Hashable, Sendable {
  var pattern: String
  var localPart: String?
  var domain: String
  var targets: String
  /// `anyone`, `members`, `domain`, or addresses.
  var senders: String
  var membersMaySend: Bool
}

/// A row of `sending_rules`; empty texts where there is none.
struct RecordedSendingRules: Hashable, Sendable {
  var account: Int64
  var sendAs: String
  var limits: String
}

/// Counters are not kept: they follow from the entries.
struct RecordedMailbox: Hashable, Sendable {
  var id: Int64
  var account: Int64
  var name: String
  var specialUse: String?
  var isSelectable: Bool
  var uidValidity: UInt32
  var uidNext: UInt32
  var modSequence: Int64
}

struct RecordedEntry: Hashable, Sendable {
  var uid: UInt32
  var message: Int64
  var flags: UInt8
  /// Separated by spaces.
  var keywords: String
  var modSequence: Int64
  var saved: Int64
}

struct RecordedRun: Hashable, Sendable {
  var modSequence: Int64
  var uids: ClosedRange<UInt32>
}

/// Attempts are not kept: after a repair all that waits is tried anew.
struct RecordedQueuedMessage: Hashable, Sendable {
  struct Recipient: Hashable, Sendable {
    var position: Int64
    var address: String
    var destination: String
    var parameters: String
    var state: UInt8
    var result: String
  }

  var id: Int64
  var body: Int64
  var prefix: [UInt8]
  var created: Int64
  var expires: Int64
  var warns: Int64?
  var notBefore: Int64
  var account: Int64
  var sender: String
  var parameters: String
  var priority: Int64
  var recipients: [Recipient]
}

struct RecordedDeletion: Hashable, Sendable {
  var message: Int64
  var time: Int64
}

/// Names a deleted entry within its account; in the order of the table.
package struct RecordedDeletionKey: Hashable, Sendable {
  /// Microseconds since 1970.
  package var time: Int64
  package var mailbox: Int64
  package var uid: UInt32
  package init(time: Int64, mailbox: Int64, uid: UInt32) {
    self.time = time
    self.mailbox = mailbox
    self.uid = uid
  }
}

struct RecordedDeletedEntry: Hashable, Sendable {
  var key: RecordedDeletionKey
  var name: String
  var message: Int64
  var flags: UInt8
  /// Separated by spaces.
  var keywords: String
}

/// A row of `signing_keys`.
struct RecordedSigningKey: Hashable, Sendable {
  var domain: String
  var selector: String
  var algorithm: String
  var privateKey: [UInt8]
  var made: Int64
  var stage: String
  var nextCheck: Int64
}

/// A row of `imports`.
struct RecordedImport: Hashable, Sendable {
  var id: Int64
  var account: Int64
  var origin: String
  var mailbox: Int64
  var name: String
  var uidValidity: UInt32?
  var uidNext: UInt32
}

/// A row of `imported`, without its import.
struct RecordedImportedMessage: Hashable, Sendable {
  var key: [UInt8]
  var mailbox: Int64
  var uid: UInt32
  var flags: UInt8
  /// Separated by spaces.
  var keywords: String
}
