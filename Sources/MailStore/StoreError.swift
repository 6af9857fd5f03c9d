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
