/// What a search asks of the index: texts that a message must have, folded as `MessageText` does. The answer is a
/// message that may have them or one that has not; whether it really has them is for the caller to see.
package indirect enum SearchFilter: Hashable, Sendable {
  case contains([UInt8])
  case all([SearchFilter])
  /// At least one of them.
  case any([SearchFilter])
}

extension SearchFilter {
  /// In the words of FTS5. Nil where the index can tell nothing of it: then every message comes into question.
  var expression: String? {
    var budget = Limits.grams
    return expression(depth: 0, budget: &budget)
  }

  private enum Limits {
    /// Grams of one text. More of them hardly leave fewer messages, and each costs.
    static let gramsOfText = 16
    /// Of all texts together.
    static let grams = 256
    /// Parentheses inside one another. FTS5's parser has room for some thirty.
    static let depth = 10
  }

  private func expression(depth: Int, budget: inout Int) -> String? {
    switch self {
    case .contains(let text):
      let grams = SearchGrams.required(by: text, limit: Swift.min(budget, Limits.gramsOfText))
      guard !grams.isEmpty else { return nil }
      budget -= grams.count
      return grams.map(\.expression).joined(separator: " AND ")
    case .all(let filters):
      // What can't be told leaves more messages, never fewer.
      return Self.joined(filters, by: " AND ", depth: depth) { filter in
        filter.expression(depth: depth + 1, budget: &budget)
      }
    case .any(let filters):
      var isTold = true
      let expression = Self.joined(filters, by: " OR ", depth: depth) { filter in
        let expression = filter.expression(depth: depth + 1, budget: &budget)
        if expression == nil { isTold = false }
        return expression
      }
      return isTold ? expression : nil
    }
  }

  /// Apple Mail asks for one word in five places: that is one question here.
  private static func joined(
    _ filters: [SearchFilter], by word: String, depth: Int, _ expression: (SearchFilter) -> String?
  ) -> String? {
    guard depth < Limits.depth else { return nil }
    var parts: [String] = []
    for filter in filters {
      if let part = expression(filter), !parts.contains(part) { parts.append(part) }
    }
    if parts.count <= 1 { return parts.first }
    return parts.map { "(\($0))" }.joined(separator: word)
  }
}

extension SearchGrams.Required {
  /// There is nothing in a gram that needs quoting within quotes.
  fileprivate var expression: String {
    let text = String(decoding: bytes, as: UTF8.self)
    return isBeginning ? "\"\(text)\" *" : "\"\(text)\""
  }
}
