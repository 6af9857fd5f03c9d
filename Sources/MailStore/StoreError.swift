/// What the store says no with. Frontends turn each into their own reply.
package enum StoreError: Error, Hashable, Sendable {
  case accountNotFound
  case domainNotFound
  case addressNotFound
  case mailboxNotFound
  /// The mailbox exists only as a parent of others (`\NonExistent`, `\NoSelect`).
  case mailboxNotSelectable
  case mailboxExists
  case mailboxHasChildren
  case accountExists
  case domainExists
  case addressExists
  /// INBOX can be neither created nor deleted.
  case mailboxIsInbox
  case invalidMailboxName
  case messageNotFound
  case overQuota
  /// The account has sent as much as it may, which is so much.
  case sendingLimit(SendingLimit, Int)
  case tooManyMailboxes
  case tooManyKeywords
  /// Another process holds the store.
  case locked
  /// The store was written by a newer version.
  case newerSchema(Int)
  /// No space, or the device reports errors; may pass.
  case deviceFull
  case inputOutput(String)
  case corrupt(String)
  case closed
}

extension StoreError {
  /// For a person at a terminal.
  package var inWords: String {
    switch self {
    case .accountNotFound: "there is no such account"
    case .domainNotFound: "there is no such domain"
    case .addressNotFound: "there is no such address"
    case .accountExists: "it is there already"
    case .domainExists: "it is there already"
    case .addressExists: "the address is taken"
    case .mailboxNotFound: "there is no such mailbox"
    case .mailboxNotSelectable: "the mailbox holds no messages"
    case .messageNotFound: "the message is gone"
    case .mailboxExists, .mailboxHasChildren, .mailboxIsInbox, .invalidMailboxName: "the mailbox cannot be changed so"
    case .overQuota: "over quota"
    case .sendingLimit(let limit, let bound): "the account may send \(limit.inWords(bound))"
    case .tooManyMailboxes: "the account has too many mailboxes"
    case .tooManyKeywords: "the message has keywords that cannot be kept"
    case .locked: "another process holds the store"
    case .newerSchema(let version): "the store was written by a newer version of martlet (schema \(version))"
    case .deviceFull: "the device is full or reports errors"
    case .inputOutput(let text): text
    case .corrupt(let text): "the store is damaged: \(text) (see martlet store repair)"
    case .closed: "the store is closed"
    }
  }
}
