import Synchronization

/// The indexes of mailboxes that sessions have selected, shared by them and kept current by the thread that commits.
/// Bounded: over the budget, those not asked for longest go first.
final class IndexCache: Sendable {
  fileprivate struct Slot {
    var index: MailboxIndex
    var lastUse: UInt64
    var cost: Int { index.uids.count * 13 + index.keywords.count * 96 + 512 }
  }

  fileprivate struct State {
    var slots: [MailboxID: Slot] = [:]
    var uses: UInt64 = 0
    /// Changes published while an index is being read, to be put on top of it.
    var loading: [MailboxID: (loaders: Int, changes: [(Change, Mailbox?)])] = [:]
    /// Which messages no session has been told of as recent yet. Small, and never forgotten while the process lives.
    var recent: [MailboxID: Recent] = [:]
  }

  fileprivate struct Recent {
    var first: UID
    var next: UID
    var isClaimed = false
  }

  private let state = Mutex(State())
  private let budget: Int
  /// Changes gathered for one index being read, before it is read again instead.
  private static let pendingLimit = 4_096

  init(budget: Int) { self.budget = budget }

  func index(of mailbox: MailboxID) -> MailboxIndex? {
    state.withLock { state in
      state.uses += 1
      guard state.slots[mailbox] != nil else { return nil }
      state.slots[mailbox]!.lastUse = state.uses
      var index = state.slots[mailbox]!.index
      state.showRecent(&index.mailbox)
      return index
    }
  }

  // MARK: Reading an index

  /// Before the database is read.
  func beginLoading(_ mailbox: MailboxID) {
    state.withLock { $0.loading[mailbox, default: (0, [])].loaders += 1 }
  }

  /// After it was read: puts on top what has happened since, and keeps it.
  func endLoading(_ mailbox: MailboxID, _ index: MailboxIndex?) -> MailboxIndex? {
    state.withLock { state in
      guard var pending = state.loading.removeValue(forKey: mailbox) else { return index }
      pending.loaders -= 1
      if pending.loaders > 0 { state.loading[mailbox] = pending }
      guard var index else { return nil }
      if state.recent[mailbox] == nil {
        state.recent[mailbox] = Recent(first: index.mailbox.firstRecent, next: index.mailbox.uidNext)
      }
      if pending.changes.count < Self.pendingLimit {
        for (change, mailbox) in pending.changes { index.apply(change, mailbox) }
        state.uses += 1
        state.slots[mailbox] = Slot(index: index, lastUse: state.uses)
        state.trim(to: budget)
      }
      state.recent[mailbox]!.next = max(state.recent[mailbox]!.next, index.mailbox.uidNext)
      state.showRecent(&index.mailbox)
      return index
    }
  }

  // MARK: Changes

  /// Called by the thread that commits. `mailboxes` are the rows the group has changed.
  func publish(_ changes: [Change], mailboxes: [MailboxID: Mailbox], removed: [MailboxID]) {
    state.withLock { state in
      for change in changes {
        guard let id = change.mailbox else { continue }
        state.apply(change, nil, to: id, limit: Self.pendingLimit)
      }
      for (id, mailbox) in mailboxes {
        state.apply(.mailboxList, mailbox, to: id, limit: Self.pendingLimit)
        if state.recent[id] != nil { state.recent[id]!.next = mailbox.uidNext }
        if !mailbox.isSelectable { state.slots[id] = nil }
      }
      for id in removed {
        state.slots[id] = nil
        state.recent[id] = nil
      }
    }
  }

  // MARK: Recent

  func claimRecent(in mailbox: MailboxID) -> UID {
    state.withLock { state in
      guard var recent = state.recent[mailbox] else { return UID(rawValue: .max) }
      let first = recent.first
      if recent.first < recent.next {
        recent.first = recent.next
        recent.isClaimed = true
        state.recent[mailbox] = recent
      }
      return first
    }
  }

  /// Claims that are not in the database yet.
  func takeClaims() -> [(MailboxID, UID)] {
    state.withLock { state in
      let claims = state.recent.filter(\.value.isClaimed).map { ($0.key, $0.value.first) }
      for (mailbox, _) in claims { state.recent[mailbox]!.isClaimed = false }
      return claims
    }
  }

  /// A mailbox read from the database, with the claims it does not know of.
  func showingRecent(_ mailbox: Mailbox) -> Mailbox {
    var mailbox = mailbox
    state.withLock { $0.showRecent(&mailbox) }
    return mailbox
  }
}

extension IndexCache.State {
  fileprivate func showRecent(_ mailbox: inout Mailbox) {
    if let recent = recent[mailbox.id] { mailbox.firstRecent = max(recent.first, mailbox.firstRecent) }
  }

  fileprivate mutating func apply(_ change: Change, _ mailbox: Mailbox?, to id: MailboxID, limit: Int) {
    slots[id]?.index.apply(change, mailbox)
    if loading[id] != nil, loading[id]!.changes.count < limit { loading[id]!.changes.append((change, mailbox)) }
  }

  fileprivate mutating func trim(to budget: Int) {
    var cost = slots.values.reduce(0) { $0 + $1.cost }
    while cost > budget, slots.count > 1, let oldest = slots.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      cost -= oldest.value.cost
      slots[oldest.key] = nil
    }
  }
}

extension Change {
  /// The mailbox whose entries it changes.
  var mailbox: MailboxID? {
    switch self {
    case .appended(let id, _), .flagged(let id, _), .expunged(let id, _, _): id
    case .mailboxList, .mailboxDeleted, .lagged: nil
    }
  }
}

extension MailboxIndex {
  /// Puts a change on top. What the index has already (it may have been read after the commit) is left as it is.
  mutating func apply(_ change: Change, _ row: Mailbox?) {
    switch change {
    case .appended(_, let states):
      for state in states where state.uid > (uids.last ?? UID(rawValue: 0)) && isNews(state.modSequence) {
        uids.append(state.uid)
        flags.append(state.flags.system)
        modSequences.append(state.modSequence)
        if !state.flags.keywords.isEmpty { keywords[state.uid] = state.flags.keywords }
      }
    case .flagged(_, let states):
      for state in states where isNews(state.modSequence) {
        guard let position = position(of: state.uid) else { continue }
        flags[position] = state.flags.system
        modSequences[position] = state.modSequence
        keywords[state.uid] = state.flags.keywords.isEmpty ? nil : state.flags.keywords
      }
    case .expunged(_, let gone, let modSequence):
      if isNews(modSequence) { remove(gone) }
    case .mailboxList, .mailboxDeleted, .lagged:
      break
    }
    if let row, row.highestModSequence >= mailbox.highestModSequence { mailbox = row }
  }

  private func isNews(_ modSequence: ModSequence) -> Bool { modSequence > mailbox.highestModSequence }

  /// Where a UID is in the columns.
  package func position(of uid: UID) -> Int? {
    var low = 0
    var high = uids.count
    while low < high {
      let middle = (low + high) / 2
      if uids[middle] < uid { low = middle + 1 } else { high = middle }
    }
    return low < uids.count && uids[low] == uid ? low : nil
  }

  /// `gone` is in ascending order.
  private mutating func remove(_ gone: [UID]) {
    if gone.count == 1 {
      guard let position = position(of: gone[0]) else { return }
      uids.remove(at: position)
      flags.remove(at: position)
      modSequences.remove(at: position)
      keywords[gone[0]] = nil
      return
    }
    var filter = UIDFilter(gone)
    var kept = 0
    for position in uids.indices {
      if filter.contains(uids[position].rawValue) {
        keywords[uids[position]] = nil
      } else {
        uids[kept] = uids[position]
        flags[kept] = flags[position]
        modSequences[kept] = modSequences[position]
        kept += 1
      }
    }
    uids.removeSubrange(kept...)
    flags.removeSubrange(kept...)
    modSequences.removeSubrange(kept...)
  }
}
