/// Something in the store that should not be so.
package struct StoreFinding: Codable, Hashable, Sendable {
  package enum Severity: String, Codable, Hashable, Sendable {
    /// Nothing is lost or shown wrong.
    case warning
    case damage
  }

  package enum Kind: String, Codable, CaseIterable, Hashable, Sendable {
    /// SQLite itself finds its file damaged.
    case database
    /// IDs, marks and marks of packs in `state`.
    case counterOfIDs
    case packMissing
    case packCutOff
    case packUnknown
    /// Octets of a pack in which no record can be read.
    case recordUnreadable
    /// A record says another thing of a message than the database.
    case recordContradicts
    case bodyLost
    /// Of a message that is deleted and could be restored.
    case deletedBodyLost
    case bodyUnused
    case structure
    case fileUnknown
    case account
    case alias
    case mailbox
    case mailboxCounters
    case entry
    case message
    case vanished
    /// What could be restored.
    case deletedEntry
    /// Messages on their way to other servers.
    case queue
    /// What has come by imports.
    case importHistory
  }

  package var kind: Kind
  /// What it is about: an address, a mailbox, a pack.
  package var subject: String
  /// What is wrong, in words.
  package var text: String
  package var severity: Severity { kind.severity }
  package var advice: String { kind.advice }

  package init(kind: Kind, subject: String, text: String) {
    self.kind = kind
    self.subject = subject
    self.text = text
  }

  private enum CodingKeys: String, CodingKey {
    case kind
    case subject
    case text
    case severity
    case advice
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    kind = try container.decode(Kind.self, forKey: .kind)
    subject = try container.decode(String.self, forKey: .subject)
    text = try container.decode(String.self, forKey: .text)
  }

  /// With what follows from the kind, for whoever reads the JSON.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(kind, forKey: .kind)
    try container.encode(subject, forKey: .subject)
    try container.encode(text, forKey: .text)
    try container.encode(severity, forKey: .severity)
    try container.encode(advice, forKey: .advice)
  }
}

extension StoreFinding.Kind {
  package var severity: StoreFinding.Severity {
    switch self {
    case .packUnknown, .recordUnreadable, .deletedBodyLost, .bodyUnused, .fileUnknown, .alias: .warning
    case .database, .counterOfIDs, .packMissing, .packCutOff, .recordContradicts, .bodyLost, .structure, .account,
      .mailbox, .mailboxCounters, .entry, .message, .vanished, .deletedEntry, .queue, .importHistory:
      .damage
    }
  }

  /// What to do about it, for a person.
  package var advice: String {
    switch self {
    case .database, .counterOfIDs, .structure, .account, .mailbox, .mailboxCounters, .entry, .message, .vanished,
      .deletedEntry, .queue, .importHistory:
      "stop the server and run martlet store repair, which shows what it will do before it does it"
    case .packMissing, .packCutOff:
      "bring the file back from a backup; without one, martlet store repair keeps all that is not in it"
    case .bodyLost:
      "bring the pack back from a backup; without one, martlet store repair takes the message out of its mailbox"
    case .deletedBodyLost: "nothing need be done: the message was deleted, and can no longer be restored"
    case .recordUnreadable:
      "no mail is lost, but packs alone would not tell all that happened: martlet store repair writes it anew"
    case .recordContradicts: "martlet store repair says which of the two counts"
    case .packUnknown, .fileUnknown: "look at the file and move it away if it is not needed"
    case .bodyUnused: "nothing need be done: it takes some space"
    case .alias: "correct or remove it: martlet alias add, martlet alias remove"
    }
  }
}

/// What a verification has looked at and found.
package struct VerificationReport: Codable, Hashable, Sendable {
  /// In the order they were found, of each kind at most ``limitOfKind``.
  package private(set) var findings: [StoreFinding] = []
  /// All of a kind, in the list or not.
  package private(set) var counts: [String: Int] = [:]
  package var accounts: Int64 = 0
  package var mailboxes: Int64 = 0
  /// Messages in mailboxes; one that is in two counts twice.
  package var messages: Int64 = 0
  package var bodies: Int64 = 0
  package var packs: Int64 = 0
  /// Read from packs and large files.
  package var octets: Int64 = 0
  package var seconds: Double = 0

  package static let limitOfKind = 1_000

  package init() {}

  package var hasDamage: Bool { findings.contains { $0.severity == .damage } }

  package mutating func add(_ finding: StoreFinding) {
    counts[finding.kind.rawValue, default: 0] += 1
    if counts[finding.kind.rawValue]! <= Self.limitOfKind { findings.append(finding) }
  }

  package mutating func add(_ kind: StoreFinding.Kind, _ subject: String, _ text: String) {
    add(StoreFinding(kind: kind, subject: subject, text: text))
  }
}
