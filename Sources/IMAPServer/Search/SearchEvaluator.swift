import MailStore
import MessageFormat

/// Finds the messages that a search key is true of, reading of each message only what its answer depends on: the
/// session's columns first, then entries and envelopes of hundreds of messages at a time, then single headers and bodies.
struct SearchEvaluator {
  private let key: SearchKey
  private let mailbox: SelectedMailbox
  private let store: MailStore
  private let facts: SearchFacts

  /// Messages whose entries and structures are read at a time.
  private static let batch = 500

  init(_ key: SearchKey, _ mailbox: SelectedMailbox, _ store: MailStore, now: Timestamp) {
    self.key = key
    self.mailbox = mailbox
    self.store = store
    facts = SearchFacts(key, mailbox, now: now)
  }

  /// Ascending indices of what was found.
  func run() async throws(IMAPFailure) -> [Int] {
    var found: [Int] = []
    var open: [SearchableMessage] = []
    for index in 0..<mailbox.count where !mailbox.isGone(at: index) {
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
    for (var message, structure) in zip(open, structures) {
      message.structure = structure
      if try await decide(&message) { found.append(message.index) }
    }
    return found
  }

  /// Reads header and body of one message as far as its answer needs them.
  private func decide(_ message: inout SearchableMessage) async throws(IMAPFailure) -> Bool {
    while true {
      switch facts.answer(key, message) {
      case .yes: return true
      case .no: return false
      case .needs(let source):
        do throws(IMAPFailure) {
          try await message.read(source, from: store)
        } catch .store(.messageNotFound) {
          return false
        }
        // Each turn reads more; a message that is all read is decided.
        guard message.source >= source else { return false }
      }
    }
  }
}
