package import MessageFormat

/// Names a message in a mailbox, or one that was deleted from it: `MAILBOX.UID`, both numbers. It is never given again,
/// whatever becomes of the mailbox.
package struct EntryID: Hashable, Sendable, CustomStringConvertible {
  package var mailbox: MailboxID
  package var uid: UID

  package init(mailbox: MailboxID, uid: UID) {
    self.mailbox = mailbox
    self.uid = uid
  }

  /// Nil where it is not written so.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let mailbox = Int64(parts[0]), let uid = UInt32(parts[1]), mailbox > 0, uid > 0 else {
      return nil
    }
    self.init(mailbox: MailboxID(rawValue: mailbox), uid: UID(rawValue: uid))
  }

  init(_ key: RecordedDeletionKey) {
    self.init(mailbox: MailboxID(rawValue: key.mailbox), uid: UID(rawValue: key.uid))
  }

  package var description: String { "\(mailbox.rawValue).\(uid.rawValue)" }
}

/// A message as a list for an administrator shows it.
package struct ListedMessage: Sendable {
  package var id: EntryID
  /// For a deleted one, its name at the time.
  package var mailbox: MailboxName
  package var flags: MessageFlags
  package var internalDate: DateTime
  /// Octets of what a client sees.
  package var size: Int64
  package var envelope: Envelope
  /// Nil for one that is there.
  package var deletedAt: Timestamp?
}

/// Which deleted messages to restore.
package enum DeletedSelection: Sendable {
  case messages([EntryID])
  /// All of the mailbox that had the name, or that has it now, deleted at `since` or later.
  case mailbox(MailboxName, since: Timestamp?)
}

/// A message that is back.
package struct RestoredMessage: Sendable {
  /// As what it was deleted.
  package var origin: EntryID
  package var id: EntryID
  package var mailbox: MailboxName
}

/// What a purge has taken away for good.
package struct PurgeSummary: Sendable {
  /// Deleted entries that can no longer be restored.
  package var entries = 0
  package var messages = 0
  /// Of bodies that no message has any more.
  package var octets: Int64 = 0
  package init() {}

  package var isEmpty: Bool { entries == 0 && messages == 0 }
}
