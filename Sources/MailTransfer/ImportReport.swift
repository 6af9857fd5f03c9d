import MailStore

/// What an import has done.
package struct ImportReport: Codable, Hashable, Sendable {
  package struct Mailbox: Codable, Hashable, Sendable {
    /// Its name in the source, and here.
    package var source: String
    package var name: String
    /// Messages that came in this run, and those that an earlier run had brought.
    package var imported = 0
    package var known = 0
    /// Its messages have the UIDs and the UIDVALIDITY they have in the source.
    package var keepsUIDs = false
  }

  package struct Problem: Codable, Hashable, Sendable {
    package var mailbox: String
    package var reason: String
  }

  package var mailboxes: [Mailbox] = []
  package var imported = 0
  package var known = 0
  /// Messages and mailboxes that could not be imported; `problems` lists the first of them.
  package var failed = 0
  package var problems: [Problem] = []
  /// What is otherwise than one would expect, in words.
  package var remarks: [String] = []
  /// Nothing was stored: `imported` counts what would be.
  package var isRehearsal = false

  mutating func note(_ reason: String, in mailbox: String) {
    failed += 1
    if problems.count < TransferLimits.problems { problems.append(Problem(mailbox: mailbox, reason: reason)) }
  }
}
