import Bytes
import MailStore
import MessageFormat

/// `FETCH` and `UID FETCH`.  RFC 9051 §6.4.5.
struct Fetch: SelectedCommand {
  let messages: SequenceSet
  let numbering: MessageNumbering
  /// In the order to be answered: UID first, then as asked.
  let items: [FetchItem]

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
    if source == .columns {
      for index in set.indices {
        try await respond(index, nil, nil, [], [], to: &session, mailbox)
      }
      return Completion("Fetched")
    }

    let count = FetchBatch.count(for: items)
    var rest = set.indices
    func read(_ indices: [Int]) -> Task<Result<FetchBatch, StoreError>, Never> {
      FetchBatch.read(
        indices.map { mailbox.uids[$0] }, in: mailbox.id, for: items, source, from: session.services.store)
    }
    var isMissing = false
    var indices = rest.next(count)
    var reading = read(indices)
    while !indices.isEmpty {
      let madeSeen = setsSeen ? try await markSeen(indices, in: session, mailbox) : []
      let result = await reading.value
      let current = indices
      indices = rest.next(count)
      if !indices.isEmpty { reading = read(indices) }
      switch result {
      case .failure(let error): throw .store(error)
      case .success(let batch):
        if try await !respond(current, batch, madeSeen, to: &session, mailbox) { isMissing = true }
      }
    }
    // RFC 2180 §4.1.2: what was named by its number and is gone is said; a UID that is gone is just no message.
    if isMissing, numbering == .sequenceNumbers { throw .expungeIssued }
    return Completion("Fetched")
  }

  /// Returns false if some of the messages are no longer there.
  private func respond(
    _ indices: [Int], _ batch: FetchBatch, _ madeSeen: Set<UID>, to session: inout IMAPSession,
    _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) -> Bool {
    // Both ascend by UID.
    var position = 0
    for index in indices {
      let uid = mailbox.uids[index]
      while position < batch.entries.count, batch.entries[position].uid < uid { position += 1 }
      guard position < batch.entries.count, batch.entries[position].uid == uid else { continue }
      try await respond(
        index, batch.entries[position], position < batch.structures.count ? batch.structures[position] : nil,
        position < batch.contents.count ? batch.contents[position] : [], madeSeen, to: &session, mailbox)
    }
    return batch.entries.count == indices.count
  }

  private func respond(
    _ index: Int, _ entry: MessageEntry?, _ structure: EncodedStructure?, _ contents: [[UInt8]?], _ madeSeen: Set<UID>,
    to session: inout IMAPSession, _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) {
    let uid = mailbox.uids[index]
    // RFC 9051 §6.4.5: flags that the fetch itself has changed are told with it.
    let tellsFlags = items.contains(.flags) || madeSeen.contains(uid)
    if tellsFlags, mailbox.announceKeywords(of: index) { session.appendFlags(of: mailbox) }
    let response = FetchResponse(
      items: tellsFlags && !items.contains(.flags) ? items + [.flags] : items, index: index, uid: uid, entry: entry,
      structure: structure, contents: contents)
    try await response.write(to: &session, mailbox)
  }

  private func markSeen(
    _ indices: [Int], in session: IMAPSession, _ mailbox: SelectedMailbox
  ) async throws(IMAPFailure) -> Set<UID> {
    let unseen = indices.filter { !mailbox.flags[$0].contains(.seen) && !mailbox.isGone(at: $0) }.map {
      mailbox.uids[$0]
    }
    if unseen.isEmpty { return [] }
    let store = session.services.store
    _ = try await fromStore(
      await store.changeFlags(in: mailbox.id, uids: unseen, .add(MessageFlags(.seen)), unchangedSince: nil))
    try await mailbox.absorb(from: store)
    return Set(unseen)
  }
}
