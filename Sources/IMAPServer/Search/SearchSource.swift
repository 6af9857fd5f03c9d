/// What has to be read of a message before a search key can be answered, cheapest first; each includes those before it.
enum SearchSource: Int, Comparable, Sendable {
  /// Flags, UIDs and sequence numbers, which the session has.
  case columns
  /// Size and internal date.
  case entry
  /// The envelope.
  case structure
  /// The header's bytes.
  case header
  /// All text.
  case body

  static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension SearchKey {
  /// What is needed to answer it whatever its parts say.
  var source: SearchSource {
    switch self {
    case .all, .flags, .keyword, .recent, .messages, .uids: .columns
    case .received, .larger, .smaller, .older, .younger: .entry
    case .sent, .subject, .address: .structure
    case .header(let name, _): Self.envelopeFields.contains(name) ? .structure : .header
    case .body, .text: .body
    case .and(let keys): keys.map(\.source).max() ?? .columns
    case .or(let first, let second): max(first.source, second.source)
    case .not(let key): key.source
    }
  }

  /// Header fields that the envelope has as they are, in lower case.
  static let envelopeFields: Set<[UInt8]> = [
    Array("subject".utf8), Array("date".utf8), Array("message-id".utf8), Array("in-reply-to".utf8),
    Array("references".utf8),
  ]
}
