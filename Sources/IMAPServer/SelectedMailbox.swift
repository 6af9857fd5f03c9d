import MailStore

/// The selected mailbox as this session has been told of it.
///
/// Invariants:
/// - The columns (`uids`, `flags`, …) change in length only when updates are told. So sequence numbers stay what
///   the client believes while a command runs, and a message that another session expunged keeps its number until told.
/// - What has happened since is in `pending`; flags of known messages are already the newest ones in the columns.
/// - The columns are the store's shared arrays until this session's view differs from them.
///
/// It is owned by its session's task.
final class SelectedMailbox {
  enum Access: Sendable {
    case readWrite
    /// EXAMINE.
    case readOnly
  }

  let account: AccountID
  let id: MailboxID
  let name: MailboxName
  let uidValidity: UIDValidity
  let access: Access

  private(set) var uids: [UID]
  private(set) var flags: [SystemFlags]
  private(set) var modSequences: [ModSequence]
  /// Only messages that have keywords.
  private(set) var keywords: [UID: [Keyword]]
  /// What `FLAGS` has named so far.
  private(set) var announcedKeywords: Set<Keyword>

  /// Changes that the client has not been told.
  private(set) var pending = PendingChanges()
  /// RFC 3501 §2.3.2: UIDs that are `\Recent` here.
  private var recents: RecentMessages
  /// `$`, in ascending order.  RFC 9051 §6.4.4.1.
  var savedResult: [UID] = []
  /// `EXISTS` was told outside IDLE: Thunderbird may have missed it, so the next IDLE repeats it.
  var hasToldArrivalsInCommand = false
  private let subscription: ChangeSubscription

  /// - Parameter subscription: begun before `index` was read, so that nothing is missed between.
  init(index: MailboxIndex, access: Access, firstRecent: UID, subscription: ChangeSubscription) {
    account = index.mailbox.account
    id = index.mailbox.id
    name = index.mailbox.name
    uidValidity = index.mailbox.uidValidity
    self.access = access
    uids = index.uids
    flags = index.flags
    modSequences = index.modSequences
    keywords = index.keywords
    announcedKeywords = index.keywords.values.reduce(into: []) { $0.formUnion($1) }
    recents = RecentMessages(from: firstRecent, through: index.uids.last)
    self.subscription = subscription
  }

  deinit { subscription.cancel() }

  // MARK: What is there

  /// The number of messages the client knows of.
  var count: Int { uids.count }

  /// The index of a message the client knows of.
  func index(of uid: UID) -> Int? {
    let index = uids.partitionPoint { $0 < uid }
    return index < uids.count && uids[index] == uid ? index : nil
  }

  func messageFlags(at index: Int) -> MessageFlags {
    MessageFlags(flags[index], keywords: keywords[uids[index]] ?? [])
  }

  func isRecent(at index: Int) -> Bool { recents.contains(uids[index]) }
  var recentCount: Int { recents.count(in: uids) }

  /// The sequence number of the first unseen message.  RFC 3501 §6.3.1.
  var firstUnseen: Int? { flags.firstIndex { !$0.contains(.seen) }.map { $0 + 1 } }

  /// True if the message has been expunged elsewhere and the client does not know it yet.
  func isGone(at index: Int) -> Bool { !pending.gone.isEmpty && pending.gone.contains(uids[index]) }

  // MARK: Naming messages

  /// The messages that a sequence set names here. RFC 9051 §9 `seq-number`: a sequence number that no message has is a
  /// client's error, a UID that no message has is just no message. `*` in an empty mailbox is taken as nothing, because
  /// clients ask for `1:*` without looking.
  func resolve(_ set: SequenceSet, by numbering: MessageNumbering) throws(IMAPFailure) -> MessageSet {
    guard case .ranges(let elements) = set else {
      return MessageSet(ascending: savedResult.lazy.compactMap { self.index(of: $0) })
    }
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(elements.count)
    for element in elements {
      switch numbering {
      case .uids:
        guard let last = uids.last else { continue }
        let first = element.first.value(last: last.rawValue)
        let second = element.second.value(last: last.rawValue)
        let low = uids.partitionPoint { $0.rawValue < min(first, second) }
        let high = uids.partitionPoint { $0.rawValue <= max(first, second) }
        ranges.append(low..<max(low, high))
      case .sequenceNumbers:
        if uids.isEmpty, element.first == .last || element.second == .last { continue }
        let first = element.first.value(last: UInt32(clamping: uids.count))
        let second = element.second.value(last: UInt32(clamping: uids.count))
        guard max(first, second) <= uids.count else { throw .noSuchSequenceNumber }
        ranges.append(Int(min(first, second)) - 1..<Int(max(first, second)))
      }
    }
    return MessageSet(unordered: ranges)
  }

  /// The UIDs of a set, in order.
  func uids(in set: MessageSet) -> [UID] {
    var result: [UID] = []
    result.reserveCapacity(set.count)
    for range in set.ranges { result += uids[range] }
    return result
  }

  // MARK: What has happened

  /// Takes in what the store has published, without telling it. Flags of known messages are up to date after it.
  func absorb(from store: MailStore) async throws(IMAPFailure) {
    if subscription.isEmpty { return }
    for change in subscription.drain() {
      switch change {
      case .appended(id, let states): for state in states { noteArrival(state) }
      case .flagged(id, let states): for state in states { noteFlags(state) }
      case .expunged(id, let expunged, _): for uid in expunged { noteExpunge(uid) }
      case .mailboxDeleted(id): noteDeletion()
      case .lagged: try await resynchronise(from: store)
      case .appended, .flagged, .expunged, .mailboxDeleted, .mailboxList: break
      }
    }
  }

  /// The client has just been sent the message's flags by other means, so they need no telling.
  func flagsWereTold(_ uid: UID) { pending.flagged.remove(uid) }

  private func noteArrival(_ state: FlagState) {
    // What came between subscribing and reading the index is known already.
    if let last = uids.last, state.uid <= last { return noteFlags(state) }
    if let last = pending.arrived.last, state.uid <= last.uid { return noteFlags(state) }
    pending.arrived.append(state)
  }

  private func noteFlags(_ state: FlagState) {
    if let index = index(of: state.uid) {
      guard modSequences[index] < state.modSequence else { return }
      modSequences[index] = state.modSequence
      guard messageFlags(at: index) != state.flags else { return }
      flags[index] = state.flags.system
      keywords[state.uid] = state.flags.keywords.isEmpty ? nil : state.flags.keywords
      pending.flagged.insert(state.uid)
    } else {
      let index = pending.arrived.partitionPoint { $0.uid < state.uid }
      guard index < pending.arrived.count, pending.arrived[index].uid == state.uid else { return }
      pending.arrived[index] = state
    }
  }

  private func noteExpunge(_ uid: UID) {
    if index(of: uid) != nil {
      pending.gone.insert(uid)
    } else {
      pending.arrived.removeAll { $0.uid == uid }
    }
  }

  /// RFC 2180 §3.3: a mailbox deleted under a session looks like one whose messages were all expunged.
  private func noteDeletion() {
    pending.gone = Set(uids)
    pending.arrived = []
  }

  /// The feed has dropped changes: find them by comparing with what is there now.
  private func resynchronise(from store: MailStore) async throws(IMAPFailure) {
    let fresh: MailboxIndex
    do throws(StoreError) {
      fresh = try await store.index(of: id)
    } catch .mailboxNotFound {
      return noteDeletion()
    } catch {
      throw .store(error)
    }
    let present = Set(fresh.uids)
    for uid in uids where !present.contains(uid) { pending.gone.insert(uid) }
    pending.arrived.removeAll { !present.contains($0.uid) }
    for index in fresh.uids.indices {
      let uid = fresh.uids[index]
      let flags = MessageFlags(fresh.flags[index], keywords: fresh.keywords[uid] ?? [])
      noteArrival(FlagState(uid: uid, flags: flags, modSequence: fresh.modSequences[index]))
    }
  }

  // MARK: Telling (used by MailboxUpdates.swift only)

  /// Takes expunged messages out of the numbering. Returns their sequence numbers before that, in descending order:
  /// said in this order, each is right when it is read.
  func removeGone() -> [Int] {
    guard !pending.gone.isEmpty else { return [] }
    let indices = pending.gone.compactMap { index(of: $0) }.sorted()
    guard let first = indices.first else {
      pending.gone = []
      return []
    }
    var write = first
    var next = 0
    for read in first..<uids.count {
      if next < indices.count, indices[next] == read {
        next += 1
        continue
      }
      uids[write] = uids[read]
      flags[write] = flags[read]
      modSequences[write] = modSequences[read]
      write += 1
    }
    uids.removeSubrange(write...)
    flags.removeSubrange(write...)
    modSequences.removeSubrange(write...)
    for uid in pending.gone {
      keywords[uid] = nil
      pending.flagged.remove(uid)
    }
    if !savedResult.isEmpty { savedResult.removeAll { pending.gone.contains($0) } }
    pending.gone = []
    return indices.reversed().map { $0 + 1 }
  }

  /// Adds new messages to the numbering. Returns true if there were any.
  func admitArrivals(firstRecent: UID) -> Bool {
    guard let first = pending.arrived.first, let last = pending.arrived.last else { return false }
    recents.add(from: max(first.uid, firstRecent), through: last.uid)
    for state in pending.arrived {
      uids.append(state.uid)
      flags.append(state.flags.system)
      modSequences.append(state.modSequence)
      if !state.flags.keywords.isEmpty { keywords[state.uid] = state.flags.keywords }
    }
    pending.arrived = []
    return true
  }

  /// The messages whose flags changed, as ascending indices, and forgets them. Of one that is gone there is no need to
  /// tell.
  func takeFlagged() -> [Int] {
    guard !pending.flagged.isEmpty else { return [] }
    defer { pending.flagged = [] }
    return pending.flagged.compactMap { pending.gone.contains($0) ? nil : index(of: $0) }.sorted()
  }

  /// True, once, for keywords that `FLAGS` has not named.
  func announceKeywords(of index: Int) -> Bool {
    guard let words = keywords[uids[index]], !announcedKeywords.isSuperset(of: words) else { return false }
    announcedKeywords.formUnion(words)
    return true
  }
}

/// Changes that the client has not been told of.
struct PendingChanges: Sendable {
  /// Expunged, still in the numbering.
  var gone: Set<UID> = []
  /// New and not in the numbering yet, in UID order.
  var arrived: [FlagState] = []
  /// Known messages with new flags.
  var flagged: Set<UID> = []

  var isEmpty: Bool { gone.isEmpty && arrived.isEmpty && flagged.isEmpty }
}

extension SequenceSet.Number {
  func value(last: UInt32) -> UInt32 {
    switch self {
    case .number(let number): number
    case .last: last
    }
  }
}
