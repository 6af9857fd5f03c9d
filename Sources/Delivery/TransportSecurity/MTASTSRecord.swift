import Bytes
package import DNS

/// What `_mta-sts.` says of a domain: that there is a policy, and which.  RFC 8461 §3.1.
package struct MTASTSRecord: Hashable, Sendable {
  /// Changes with the policy: up to 32 letters and digits.
  package let id: String

  /// The one record among those at the name; nil if there is none, more than one, or the one is malformed.
  package init?(_ records: [TextRecord]) {
    let candidates = records.map(\.text).filter(Self.isCandidate)
    guard candidates.count == 1, let record = MTASTSRecord(parsing: candidates[0]) else { return nil }
    self = record
  }

  /// `v=STSv1; id=20160831085700Z;`
  package init?(parsing text: [UInt8]) {
    var cursor = ByteCursor(text)
    guard cursor.skip("v=STSv1") else { return nil }
    var id: String?
    while true {
      _ = cursor.take(while: { $0.isIn(.wsp) })
      if cursor.isAtEnd { break }
      guard cursor.skip(UInt8(ascii: ";")) else { return nil }
      _ = cursor.take(while: { $0.isIn(.wsp) })
      if cursor.isAtEnd { break }
      let name = cursor.take(while: { $0.isIn([.alpha, .digit]) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E })
      guard 1...32 ~= name.count, cursor.skip(UInt8(ascii: "=")) else { return nil }
      let value = cursor.take(while: { 0x21...0x7E ~= $0 && $0 != 0x3B && $0 != 0x3D })
      guard !value.isEmpty else { return nil }
      guard String(decoding: name, as: UTF8.self) == "id", id == nil else { continue }
      guard value.count <= 32, value.allSatisfy({ $0.isIn([.alpha, .digit]) }) else { return nil }
      id = String(decoding: value, as: UTF8.self)
    }
    guard let id else { return nil }
    self.id = id
  }

  /// RFC 8461 §3.1: what does not begin like this is another's record.
  private static func isCandidate(_ text: [UInt8]) -> Bool { text.starts(with: "v=STSv1;".utf8) }
}

extension ByteCursor {
  /// Moves over `text`, letter for letter.
  fileprivate mutating func skip(_ text: String) -> Bool {
    guard remaining >= text.utf8.count, bytes[position..<position + text.utf8.count].elementsEqual(text.utf8) else {
      return false
    }
    position += text.utf8.count
    return true
  }
}
