/// A mailbox elsewhere that has been imported from. Never reused.
package struct ImportID: Hashable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A mailbox elsewhere, as an import begins with it.
package struct ImportOrigin: Hashable, Sendable {
  /// Names it for ever, the same in every run, such as `imap://alice@mail.example/INBOX;UIDVALIDITY=7`.
  package var identity: String
  /// Where its messages go, unless an earlier run of the same origin has settled that.
  package var mailbox: MailboxName
  /// A mailbox of the account that has this use is taken instead of the one that is named.
  package var specialUse: SpecialUse?
  package var isSubscribed: Bool
  /// Nil where it has no UIDs that could be kept.
  package var uids: OriginUIDs?

  package init(
    identity: String, mailbox: MailboxName, specialUse: SpecialUse? = nil, isSubscribed: Bool = false,
    uids: OriginUIDs? = nil
  ) {
    self.identity = identity
    self.mailbox = mailbox
    self.specialUse = specialUse
    self.isSubscribed = isSubscribed
    self.uids = uids
  }
}

package struct OriginUIDs: Hashable, Sendable {
  package var validity: UIDValidity
  /// The lowest that a message there has, or UIDNEXT.
  package var first: UID
  package init(validity: UIDValidity, first: UID) {
    self.validity = validity
    self.first = first
  }
}

/// Where the messages of an origin go.
package struct ImportTarget: Hashable, Sendable {
  package var id: ImportID
  package var mailbox: MailboxName
  /// Its messages have the UIDs and UIDVALIDITY of their origin.
  package var keepsUIDs: Bool
  package init(id: ImportID, mailbox: MailboxName, keepsUIDs: Bool) {
    self.id = id
    self.mailbox = mailbox
    self.keepsUIDs = keepsUIDs
  }
}

/// A message of an origin, without its body.
package struct ImportOffer: Hashable, Sendable {
  /// Names it within its origin, 1…64 octets; ascending keys cost least.
  package var key: [UInt8]
  package var flags: MessageFlags
  package init(key: [UInt8], flags: MessageFlags) {
    self.key = key
    self.flags = flags
  }
}

package struct ImportedMessage: Sendable {
  package var key: [UInt8]
  /// What it has there; ascending within an origin.
  package var uid: UID?
  package var message: NewMessage
  package init(key: [UInt8], uid: UID?, message: NewMessage) {
    self.key = key
    self.uid = uid
    self.message = message
  }
}

package struct ImportResult: Sendable {
  /// Messages that are now in the store; those that were there before are not among them.
  package var stored = 0
  /// Messages that could not be, by their position.
  package var failures: [(index: Int, error: StoreError)] = []
  package var keepsUIDs = false
}
