/// What a repair has found and will do.
package struct RepairPlan: Codable, Hashable, Sendable {
  /// A message that cannot be brought back.
  package struct LostMessage: Codable, Hashable, Sendable {
    /// The account's address.
    package var account: String
    package var mailbox: String
    package var uid: UInt32
    /// Why, in words.
    package var reason: String
  }

  /// What store.db says that the new one does not, and the other way round. Counts are of messages in mailboxes.
  package struct Differences: Codable, Hashable, Sendable {
    package var accountsMissing: [String] = []
    package var accountsNotFound: [String] = []
    /// Accounts whose passwords, limits or subscriptions are others, and aliases.
    package var settingsChanged: [String] = []
    package var mailboxesMissing: [String] = []
    package var mailboxesNotFound: [String] = []
    /// Whose counters, UIDs or other facts store.db has wrong.
    package var mailboxesChanged: [String] = []
    package var messagesMissing: Int64 = 0
    package var messagesNotFound: Int64 = 0
    /// With other flags or another mod-sequence.
    package var messagesChanged: Int64 = 0
    /// Deleted messages that could still be restored.
    package var deletedNotFound: Int64 = 0
    /// Deleted entries, for restoring them, that store.db does not have or has wrong.
    package var deletedChanged: Int64 = 0
    /// Recipients of queued messages that only one of the two has, or in another state.
    package var queueChanged: Int64 = 0
    /// Messages that were imported, and mailboxes elsewhere, of which store.db does not know or says other things.
    package var importsChanged: Int64 = 0
    package var isEmpty: Bool { self == Differences() }
    package init() {}
  }

  package enum Source: String, Codable, Hashable, Sendable {
    /// The packs tell all that happened.
    case packs
    /// They do not, and store.db, which is sound, tells the rest.
    case database
    /// They do not, and store.db is of no use: some of it is gone.
    case remains
  }

  /// What is the matter with store.db as it is; nil where it is sound.
  package var databaseProblem: String?
  package var source: Source
  package var packs: Int
  package var packOctets: Int64
  package var accounts: Int
  package var mailboxes: Int64
  package var messages: Int64
  /// What cannot be read in the packs.
  package var damages: [String]
  /// What else a person should know of what will be there afterwards.
  package var notes: [String]
  /// At most ``listLimit`` of them.
  package var lost: [LostMessage]
  package var lostCount: Int64
  /// Bodies of deleted messages that could still have been restored and cannot any more.
  package var lostDeletedCount: Int64
  /// Nil where there is no sound store.db to compare with.
  package var differences: Differences?
  /// False where store.db says what the packs say and nothing is damaged: then nothing is done.
  package var isNeeded: Bool
  /// Where the old store.db will be kept; nil where there is none.
  package var keptAs: String?

  /// Longer lists are cut off here.
  package static let listLimit = 10_000
}
