import MailStore

extension SearchKey {
  /// What the search index can tell of this key: a message that the filter rules out is one for which the key is false.
  /// Nil where it can tell nothing.
  var filter: SearchFilter? {
    switch self {
    case .subject(let text), .address(_, let text), .header(_, let text), .body(let text), .text(let text):
      // An empty text is in every message, or in every one that has the field.
      return text.isEmpty ? nil : .contains(text)
    case .and(let keys):
      let filters = keys.compactMap(\.filter)
      return filters.isEmpty ? nil : .all(filters)
    case .or(let first, let second):
      guard let first = first.filter, let second = second.filter else { return nil }
      return .any([first, second])
    // That a text is in the index does not mean that the key is true, so its contrary can't be told either.
    case .not: return nil
    case .all, .flags, .keyword, .recent, .messages, .uids, .received, .sent, .larger, .smaller, .older, .younger:
      return nil
    }
  }
}
