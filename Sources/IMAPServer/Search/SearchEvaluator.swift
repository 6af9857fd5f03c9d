import MailStore
import MessageFormat

/// Finds the messages that a search key is true of. The search index says which messages come into question, and every
/// one of these is looked at: reading of each only what its answer depends on, the session's columns first, then entries
/// and envelopes of hundreds of messages at a time, then headers and bodies.
struct SearchEvaluator {
  private let key: SearchKey
  private let mailbox: SelectedMailbox
  private let store: MailStore
  private let facts: SearchFacts
  private let usesIndex: Bool

  /// Messages whose entries and structures are read at a time.
  private static let batch = 500

  /// - Parameter usesIndex: false: every message is looked at.
  init(_ key: SearchKey, _ mailbox: SelectedMailbox, _ store: MailStore, now: Timestamp, usesIndex: Bool = true) {
    self.usesIndex = usesIndex
    self.key = key
    self.mailbox = mailbox
    self.store = store
    facts = SearchFacts(key, mailbox, now: now)
  }

  /// Ascending indices of what was found.
  func run() async throws(IMAPFailure) -> [Int] {
    var found: [Int] = []
    var open: [SearchableMessage] = []
    for index in try await candidates() where !mailbox.isGone(at: index) {
      let message = SearchableMessage(index: index, uid: mailbox.uids[index])
      switch facts.answer(key, message) {
      case .yes: found.append(index)
      case .no: break
      case .needs: open.append(message)
      }
      if open.count == Self.batch {
        found += try await decide(open)
        open.removeAll(keepingCapacity: true)
      }
    }
    found += try await decide(open)
    return found.sorted()
  }

  /// Ascending indices of the messages that come into question.
  private func candidates() async throws(IMAPFailure) -> [Int] {
    if usesIndex, mailbox.count > 0, let filter = key.filter,
      let uids = try await fromStore(await store.candidates(for: filter, in: mailbox.id))
    {
      return uids.compactMap { mailbox.index(of: $0) }
    }
    return Array(0..<mailbox.count)
  }

  private func decide(_ messages: [SearchableMessage]) async throws(IMAPFailure) -> [Int] {
    if messages.isEmpty { return [] }
    let uids = messages.map { $0.uid }
    let entries = try await fromStore(await store.entries(in: mailbox.id, uids: uids))
    var found: [Int] = []
    var open: [SearchableMessage] = []
    var position = 0
    for var message in messages {
      while position < entries.count, entries[position].uid < message.uid { position += 1 }
      // What is gone meanwhile is not found.
      guard position < entries.count, entries[position].uid == message.uid else { continue }
      message.entry = entries[position]
      switch facts.answer(key, message) {
      case .yes: found.append(message.index)
      case .no: break
      case .needs: open.append(message)
      }
    }
    if open.isEmpty { return found }
    let contents = open.compactMap { $0.entry?.content }
    let structures = try await fromStore(await store.structures(of: contents))
    var waiting: [SearchableMessage] = []
    for (var message, structure) in zip(open, structures) {
      message.structure = structure
      settle(message, &found, &waiting)
    }
    // What needs both says header first; so after each of these all that needs it has it.
    for source in [SearchSource.header, .body] {
      let messages = waiting
      waiting = []
      try await read(source, of: messages, &found, &waiting)
    }
    return found
  }

  private func settle(_ message: SearchableMessage, _ found: inout [Int], _ waiting: inout [SearchableMessage]) {
    switch facts.answer(key, message) {
    case .yes: found.append(message.index)
    case .no: break
    case .needs: waiting.append(message)
    }
  }

  // MARK: Headers and bodies

  /// Octets that are read at a time, unless one message alone has more.
  private static let groupSize = 1 << 20

  /// Reads header or body of the messages that wait for it. The next group is read while one is looked through.
  private func read(
    _ source: SearchSource, of messages: [SearchableMessage], _ found: inout [Int], _ waiting: inout [SearchableMessage]
  ) async throws(IMAPFailure) {
    var groups: [[SearchableMessage]] = []
    var size = 0
    for message in messages {
      guard facts.answer(key, message) == .needs(source), let pieces = message.pieces(for: source) else {
        waiting.append(message)
        continue
      }
      let octets = pieces.reduce(0) { $0 + $1.range.count }
      if groups.isEmpty || size + octets > Self.groupSize {
        groups.append([])
        size = 0
      }
      groups[groups.count - 1].append(message)
      size += octets
    }
    guard let first = groups.first else { return }
    var reading = bytes(source, of: first)
    for (index, group) in groups.enumerated() {
      let result = await reading.value
      if index + 1 < groups.count { reading = bytes(source, of: groups[index + 1]) }
      switch result {
      case .failure(let error): throw .store(error)
      case .success(let bytes):
        for (var message, bytes) in zip(group, bytes) {
          // What is gone meanwhile is not found.
          guard let bytes else { continue }
          message.take(bytes, as: source, foldsHeader: facts.hasText)
          settle(message, &found, &waiting)
        }
      }
    }
  }

  /// Begins to read; nil for a message that is gone.
  private func bytes(
    _ source: SearchSource, of group: [SearchableMessage]
  ) -> Task<Result<[[UInt8]?], StoreError>, Never> {
    let store = store
    let wanted = group.map { $0.pieces(for: source) ?? [] }
    return Task {
      do throws(StoreError) {
        let pieces = try await store.read(wanted.flatMap { $0 })
        var position = 0
        return .success(
          wanted.map { message in
            defer { position += message.count }
            return message.count == 1 ? pieces[position] : pieces[position..<position + message.count].flatMap { $0 }
          })
      } catch .messageNotFound {
        // One of them: the others are read one by one.
      } catch {
        return .failure(error)
      }
      var result: [[UInt8]?] = []
      for pieces in wanted {
        do throws(StoreError) {
          result.append(try await store.read(pieces).flatMap { $0 })
        } catch .messageNotFound {
          result.append(nil)
        } catch {
          return .failure(error)
        }
      }
      return .success(result)
    }
  }
}
