package import MessageFormat

/// A message in a mailbox.
package struct MessageEntry: Sendable {
  package var uid: UID
  package var flags: MessageFlags
  package var modSequence: ModSequence
  package var emailID: EmailID
  /// The thread it belongs to, named by the EMAILID of its first message.  RFC 8474 THREADID.
  package var threadID: EmailID
  /// RFC822.SIZE: the trace prefix and the body.
  package var size: Int
  package var internalDate: DateTime
  /// When it came into this mailbox.  RFC 8514.
  package var saveDate: Timestamp
  package var content: ContentReference

  package init(
    uid: UID, flags: MessageFlags, modSequence: ModSequence, emailID: EmailID, threadID: EmailID, size: Int,
    internalDate: DateTime, saveDate: Timestamp, content: ContentReference
  ) {
    self.uid = uid
    self.flags = flags
    self.modSequence = modSequence
    self.emailID = emailID
    self.threadID = threadID
    self.size = size
    self.internalDate = internalDate
    self.saveDate = saveDate
    self.content = content
  }
}

/// Entries and the structures of their bodies, matched by position.
package struct DescribedEntries: Sendable {
  package var entries: [MessageEntry] = []
  package var structures: [EncodedStructure] = []
  package init() {}
}

/// Where the bytes of a message are. What a client sees is `prefix` followed by the body.
package struct ContentReference: Hashable, Sendable {
  /// Trace fields added on the way in (`Return-Path`, `Delivered-To`, `Received`), each ended by CRLF.
  package var prefix: [UInt8]
  /// The body record, shared by all recipients of the same message.
  package var bodyID: Int64
  package var bodySize: Int
  package init(prefix: [UInt8], bodyID: Int64, bodySize: Int) {
    self.prefix = prefix
    self.bodyID = bodyID
    self.bodySize = bodySize
  }
  package var size: Int { prefix.count + bodySize }
}

/// One message for `append`: IMAP APPEND, import, a copy for Sent.
package struct NewMessage: Sendable {
  package var body: StagedBody
  package var flags: MessageFlags
  package var internalDate: DateTime
  /// Trace fields in front of the body, each ended by CRLF: of a message that was delivered once, and comes back.
  package var prefix: [UInt8]
  package init(
    body: StagedBody, flags: MessageFlags = MessageFlags(), internalDate: DateTime, prefix: [UInt8] = []
  ) {
    self.body = body
    self.prefix = prefix
    self.flags = flags
    self.internalDate = internalDate
  }
}

/// One local recipient of a delivered message.
package struct LocalDelivery: Sendable {
  package var account: AccountID
  /// Created if it does not exist.
  package var mailbox: MailboxName
  /// Trace fields in front of the body for this recipient, each ended by CRLF. Equal prefixes share one message.
  package var prefix: [UInt8]
  package var flags: MessageFlags
  /// False where the quota was checked before and this recipient must not fail alone any more.
  package var enforcesQuota: Bool
  package init(
    account: AccountID, mailbox: MailboxName = .inbox, prefix: [UInt8], flags: MessageFlags = MessageFlags(),
    enforcesQuota: Bool = true
  ) {
    self.account = account
    self.mailbox = mailbox
    self.prefix = prefix
    self.flags = flags
    self.enforcesQuota = enforcesQuota
  }
}

package struct AppendResult: Sendable {
  package var mailbox: MailboxID
  package var uidValidity: UIDValidity
  package var uids: [UID]
  package init(mailbox: MailboxID, uidValidity: UIDValidity, uids: [UID]) {
    self.mailbox = mailbox
    self.uidValidity = uidValidity
    self.uids = uids
  }
}

/// COPYUID's three facts; `source` and `destination` have equal length and match by position.  RFC 4315 §3.
package struct CopyResult: Sendable {
  package var uidValidity: UIDValidity
  package var source: [UID]
  package var destination: [UID]
  package init(uidValidity: UIDValidity, source: [UID], destination: [UID]) {
    self.uidValidity = uidValidity
    self.source = source
    self.destination = destination
  }
}

package struct FlagState: Hashable, Sendable {
  package var uid: UID
  package var flags: MessageFlags
  package var modSequence: ModSequence
  package init(uid: UID, flags: MessageFlags, modSequence: ModSequence) {
    self.uid = uid
    self.flags = flags
    self.modSequence = modSequence
  }
}

package struct FlagResult: Sendable {
  /// Every message whose flags are now as asked, changed or not.
  package var states: [FlagState]
  /// Messages left alone because they changed after `unchangedSince`.  RFC 7162 §3.1.3.
  package var modified: [UID]
  package init(states: [FlagState], modified: [UID]) {
    self.states = states
    self.modified = modified
  }
}
