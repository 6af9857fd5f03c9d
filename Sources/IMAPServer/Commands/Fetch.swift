import Bytes
import MailStore
import MessageFormat

/// `FETCH` and `UID FETCH`.  RFC 9051 §6.4.5.
struct Fetch: SelectedCommand {
  let messages: SequenceSet
  let numbering: MessageNumbering
  /// In the order to be answered: UID first, then as asked.
  let items: [FetchItem]

  /// Messages whose entries and structures are read at a time.
  private static let batch = 500

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    numbering = context.numbering
    try arguments.expectSpace()
    messages = try arguments.sequenceSet()
    try arguments.expectSpace()
    let asked = try arguments.fetchItems()
    try arguments.expectEnd()
    // Thunderbird wants UID in front wherever it was asked for, and UID FETCH implies it (RFC 9051 §6.4.9).
    let hasUID = numbering == .uids || asked.contains(.uid)
    items = (hasUID ? [.uid] : []) + asked.filter { $0 != .uid }
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    let set = try mailbox.resolve(messages, by: numbering)
    let source = items.reduce(FetchSource.columns) { max($0, $1.source) }
    let setsSeen = mailbox.access == .readWrite && items.contains { $0.setsSeen }
    var isMissing = false
    var batch: [Int] = []
    batch.reserveCapacity(min(set.count, Self.batch))
    for index in set.indices {
      batch.append(index)
      if batch.count == Self.batch {
        if try await !fetch(batch, source, setsSeen, in: &session, mailbox) { isMissing = true }
        batch.removeAll(keepingCapacity: true)
      }
    }
    if try await !fetch(batch, source, setsSeen, in: &session, mailbox) { isMissing = true }
    // RFC 2180 §4.1.2: what was named by its number and is gone is said; a UID that is gone is just no message.
    if isMissing, numbering == .sequenceNumbers { throw .expungeIssued }
    return Completion("Fetched")
  }

  /// Returns false if some of the messages are no longer there.
  private func fetch(
    _ indices: [Int], _ source: FetchSource, _ setsSeen: Bool, in session: inout IMAPSession, _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) -> Bool {
    if indices.isEmpty { return true }
    let store = session.services.store
    let madeSeen = setsSeen ? try await markSeen(indices, in: session, mailbox) : []
    if source == .columns {
      for index in indices {
        try await respond(index, nil, nil, madeSeen, to: &session, mailbox)
      }
      return true
    }
    let uids = indices.map { mailbox.uids[$0] }
    let entries = try await fromStore(await store.entries(in: mailbox.id, uids: uids))
    var structures: [MessageStructure] = []
    if source == .structure {
      let contents = entries.map { $0.content }
      structures = try await fromStore(await store.structures(of: contents))
    }
    // Both ascend by UID.
    var position = 0
    for index in indices {
      let uid = mailbox.uids[index]
      while position < entries.count, entries[position].uid < uid { position += 1 }
      guard position < entries.count, entries[position].uid == uid else { continue }
      let structure = position < structures.count ? structures[position] : nil
      try await respond(index, entries[position], structure, madeSeen, to: &session, mailbox)
    }
    return entries.count == indices.count
  }

  private func respond(
    _ index: Int, _ entry: MessageEntry?, _ structure: MessageStructure?, _ madeSeen: Set<UID>,
    to session: inout IMAPSession, _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) {
    let uid = mailbox.uids[index]
    // RFC 9051 §6.4.5: flags that the fetch itself has changed are told with it.
    let tellsFlags = items.contains(.flags) || madeSeen.contains(uid)
    if tellsFlags, mailbox.announceKeywords(of: index) { session.appendFlags(of: mailbox) }
    let response = FetchResponse(
      items: tellsFlags && !items.contains(.flags) ? items + [.flags] : items, index: index, uid: uid, entry: entry,
      structure: structure)
    try await response.write(to: &session, mailbox)
  }

  private func markSeen(
    _ indices: [Int], in session: IMAPSession, _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) -> Set<UID> {
    let unseen = indices.filter { !mailbox.flags[$0].contains(.seen) && !mailbox.isGone(at: $0) }.map { mailbox.uids[$0] }
    if unseen.isEmpty { return [] }
    let store = session.services.store
    _ = try await fromStore(
      await store.changeFlags(in: mailbox.id, uids: unseen, .add(MessageFlags(.seen)), unchangedSince: nil))
    try await mailbox.absorb(from: store)
    return Set(unseen)
  }
}
