package import MailStore

/// What an administrator can ask for. Commands make one; the running server performs it, or the command itself where no
/// server holds the store.
package enum AdministrativeOperation: Codable, Hashable, Sendable {
  case status

  case addDomain(String)
  case removeDomain(String)
  case listDomains

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

  /// A pattern of `@domain` answers for every address that nothing else answers for.
  case addAlias(pattern: String, targets: [String])
  case removeAlias(String)
  case listAliases

  /// Looks at everything in the store. A running server reads no more than so many octets a second; without a number, as
  /// many as leave the disk to others.
  case verifyStore(isThorough: Bool, octetsPerSecond: Int64?)

  /// Of one mailbox or all, the newest first; with `isDeleted`, those that can be restored.
  case listMessages(address: String, mailbox: String?, isDeleted: Bool, limit: Int)
  /// Either by their IDs, or all of a mailbox that were deleted since a day (`2026-05-17`, UTC).
  case restoreMessages(address: String, ids: [String], mailbox: String?, since: String?, into: String?)
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

package enum AdministrativeReply: Codable, Hashable, Sendable {
  /// How far a long operation is; any number of these come before the reply itself.
  case progress(OperationProgress)
  /// In words, for a person.
  case done(String)
  case status(ServerStatus)
  case domains([String])
  case accounts([AccountSummary])
  case account(AccountSummary)
  case appPasswords([AppPasswordSummary])
  case appPassword(label: String, password: String)
  case aliases([AliasSummary])
  case verification(VerificationReport)
  case repair(RepairReport)
  case messages(MessageList)
  case restored(RestoreReport)
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
}
