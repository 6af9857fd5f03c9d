/// The search index.
extension MailStore {
  /// The messages of a mailbox for which `filter` may be true, in UID order; nil where the search index can't tell and
  /// every message comes into question. None for which it is true is left out.
  package func candidates(for filter: SearchFilter, in mailbox: MailboxID) async throws(StoreError) -> [UID]? {
    try await engine.candidates(for: filter, in: mailbox)
  }

  package func searchIndexState() async throws(StoreError) -> SearchIndexState {
    try await engine.searchIndexState()
  }

  /// Throws the search index away and makes it anew. Searches find the same meanwhile.
  package func rebuildSearchIndex(progress: @escaping ProgressHandler = { _ in }) async {
    engine.rebuildSearchIndex()
    await engine.searchIndexHasCaughtUp(progress)
  }

  /// Returns when every message that is committed now is in the search index, or can't be brought there.
  package func searchIndexHasCaughtUp() async { await engine.searchIndexHasCaughtUp { _ in } }
}
