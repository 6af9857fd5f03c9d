import Bytes

/// `status-att`.
enum StatusItem: String, CaseIterable, Sendable {
  case messages = "MESSAGES"
  /// IMAP4rev1 only; harmless in rev2.
  case recent = "RECENT"
  case uidNext = "UIDNEXT"
  case uidValidity = "UIDVALIDITY"
  case unseen = "UNSEEN"
  /// RFC 9051 §6.3.11.
  case deleted = "DELETED"
  /// RFC 8438.
  case size = "SIZE"
  /// RFC 7889 §3.2.
  case appendLimit = "APPENDLIMIT"
}

extension ByteCursor {
  /// "(" status-att *(SP status-att) ")".
  mutating func statusItems() throws(IMAPSyntaxError) -> [StatusItem] {
    var items: [StatusItem] = []
    try list(minimum: 1) { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
      let start = cursor.position
      guard let item = StatusItem(rawValue: try cursor.keyword()) else {
        cursor.position = start
        throw cursor.expected("a status item")
      }
      if !items.contains(item) { items.append(item) }
    }
    return items
  }
}
