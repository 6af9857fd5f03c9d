/// What a mailbox is for.  RFC 6154 §2.
package enum SpecialUse: String, CaseIterable, Sendable {
  case all = "\\All"
  case archive = "\\Archive"
  case drafts = "\\Drafts"
  case flagged = "\\Flagged"
  case junk = "\\Junk"
  case sent = "\\Sent"
  case trash = "\\Trash"
}

/// A mailbox with its live counters.
package struct Mailbox: Hashable, Sendable {
  package var id: MailboxID
  package var account: AccountID
  package var name: MailboxName
  package var uidValidity: UIDValidity
  package var uidNext: UID
  package var highestModSequence: ModSequence
  package var specialUse: SpecialUse?
  package var isSubscribed: Bool
  /// False for a name that exists only because it has children.
  package var isSelectable: Bool
  package var messageCount: Int
  package var unseenCount: Int
  package var deletedCount: Int
  /// Sum of RFC822.SIZE.
  package var size: Int64
  /// Messages from here on have not been announced to any session: `\Recent`.  RFC 3501 §2.3.2.
  package var firstRecent: UID

  package init(
    id: MailboxID, account: AccountID, name: MailboxName, uidValidity: UIDValidity, uidNext: UID,
    highestModSequence: ModSequence, specialUse: SpecialUse?, isSubscribed: Bool, isSelectable: Bool, messageCount: Int,
    unseenCount: Int, deletedCount: Int, size: Int64, firstRecent: UID
  ) {
    self.id = id
    self.account = account
    self.name = name
    self.uidValidity = uidValidity
    self.uidNext = uidNext
    self.highestModSequence = highestModSequence
    self.specialUse = specialUse
    self.isSubscribed = isSubscribed
    self.isSelectable = isSelectable
    self.messageCount = messageCount
    self.unseenCount = unseenCount
    self.deletedCount = deletedCount
    self.size = size
    self.firstRecent = firstRecent
  }
}

/// What a session needs to select a mailbox: all its entries in UID order, as columns of equal length.
package struct MailboxIndex: Sendable {
  package var mailbox: Mailbox
  package var uids: [UID]
  package var flags: [SystemFlags]
  package var modSequences: [ModSequence]
  /// Only messages that have keywords.
  package var keywords: [UID: [Keyword]]

  package init(
    mailbox: Mailbox, uids: [UID], flags: [SystemFlags], modSequences: [ModSequence], keywords: [UID: [Keyword]]
  ) {
    self.mailbox = mailbox
    self.uids = uids
    self.flags = flags
    self.modSequences = modSequences
    self.keywords = keywords
  }
}
