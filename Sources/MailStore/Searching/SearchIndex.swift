import Logging
import SQLite

/// How far the search index is.
package struct SearchIndexState: Hashable, Sendable {
  package enum Condition: Hashable, Sendable {
    /// Every message is in it.
    case current
    /// Some are not yet: searches look at these one by one.
    case behind
    /// Why nothing is added to it; searches look at what it does not have.
    case unavailable(String)
  }

  package var condition: Condition
  /// Messages in it, those that the store no longer has among them.
  package var indexedMessages: Int
  package var waitingMessages: Int
  /// Messages with too much text for it: they are looked at in every search.
  package var unlistedMessages: Int
  /// Of its file, in octets.
  package var size: Int64
}

/// Says which messages a search need look at. It leaves out only what it is sure of: a message that it does not have
/// yet always comes into question.
final class SearchIndex: Sendable {
  private let indexer: SearchIndexer
  private let columns = MessageColumns()
  private let layout: StoreLayout
  private let files: FileAccess
  private let logger: Logger

  init(indexer: SearchIndexer, layout: StoreLayout, files: FileAccess, logger: Logger) {
    self.indexer = indexer
    self.layout = layout
    self.files = files
    self.logger = logger
  }

  /// In UID order; nil where every message comes into question. On a reading thread.
  func candidates(for filter: SearchFilter, in mailbox: MailboxID, _ store: Database) throws(StoreError) -> [UID]? {
    guard let expression = filter.expression, let column = try columns.column(of: mailbox, store) else { return nil }
    // The column first: what comes into the mailbox afterwards is after the mark, or the index knows it.
    guard let matches = matches(expression, of: column.account) else { return nil }
    var found: [UID] = []
    for (position, message) in column.messages.enumerated() where matches.contains(message) {
      found.append(UID(rawValue: column.uids[position]))
    }
    return found
  }

  private func matches(_ expression: String, of account: AccountID) -> SearchMatches? {
    do throws(SQLiteError) {
      return try indexer.readers.read { (index) throws(SQLiteError) in try index.matches(expression, of: account) }
    } catch {
      logger.warning("search_index_unreadable", metadata: ["error": "\(error)"])
      if error.kind == .corrupt { indexer.rebuild() }
      return nil
    }
  }

  /// On a reading thread.
  func state(_ store: Database) throws(StoreError) -> SearchIndexState {
    var state = SearchIndexState(
      condition: .behind, indexedMessages: 0, waitingMessages: 0, unlistedMessages: 0,
      size: files.size(of: layout.searchIndex))
    var mark: Int64 = 0
    if case .starting = indexer.currentCondition {
      state.waitingMessages = try store.messageCount(after: 0)
      return state
    }
    do throws(SQLiteError) {
      let known = try indexer.readers.read { (index) throws(SQLiteError) in
        (try index.indexedThrough(), try index.messageCount(), try index.unlistedCount())
      }
      if let known { (mark, state.indexedMessages, state.unlistedMessages) = known }
    } catch {
      state.condition = .unavailable(error.description)
    }
    state.waitingMessages = try store.messageCount(after: mark)
    if case .unavailable(let reason) = indexer.currentCondition {
      state.condition = .unavailable(reason)
    } else if state.waitingMessages == 0, state.condition == .behind {
      state.condition = .current
    }
    return state
  }

  func start() { indexer.start() }
  func note(newMessages count: Int) { indexer.note(newMessages: count) }
  func rebuild() { indexer.rebuild() }
  func hasStarted() async { await indexer.hasStarted() }
  func hasCaughtUp(_ progress: @escaping ProgressHandler) async { await indexer.hasCaughtUp(progress) }
  func close() async { await indexer.close() }
  func requestClose() { indexer.requestClose() }
}
