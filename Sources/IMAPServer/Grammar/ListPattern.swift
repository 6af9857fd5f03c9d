import MailStore

/// A mailbox pattern: `*` stands for any characters, `%` for any but the separator.  RFC 9051 §6.3.9.
struct ListPattern: Sendable {
  private let pattern: [UInt8]
  /// Octets that must be there as they are: a shorter name is not looked at. So the work is bounded by the name's
  /// length, however long the pattern.
  private let minimumLength: Int

  /// Octets of a pattern that are looked at: no mailbox name is longer, and the work grows with pattern times name.
  static let limit = 1_100

  init(reference: String, pattern: String) {
    var bytes: [UInt8] = []
    for byte in (reference + pattern).utf8.prefix(Self.limit) {
      // Two wildcards in a row are one: the stronger.
      if let last = bytes.last, last == 0x2A || last == 0x25, byte == 0x2A || byte == 0x25 {
        if byte == 0x2A { bytes[bytes.count - 1] = 0x2A }
      } else {
        bytes.append(byte)
      }
    }
    // `inbox` in any case is INBOX where it is the whole first level.
    if bytes.count >= 5, String(decoding: bytes.prefix(5), as: UTF8.self).uppercased() == "INBOX",
      bytes.count == 5 || bytes[5] == 0x2F || bytes[5] == 0x2A || bytes[5] == 0x25
    {
      bytes.replaceSubrange(0..<5, with: "INBOX".utf8)
    }
    self.pattern = bytes
    minimumLength = bytes.count { $0 != 0x2A && $0 != 0x25 }
  }

  func matches(_ name: MailboxName) -> Bool { matches(name.text) }

  /// Keeps the set of pattern positions that are possible: linear in name times pattern, whatever the wildcards.
  func matches(_ name: String) -> Bool {
    guard name.utf8.count >= minimumLength else { return false }
    var current = [Bool](repeating: false, count: pattern.count + 1)
    var next = current
    current[0] = true
    spread(&current)
    for byte in name.utf8 {
      var isAlive = false
      for index in next.indices { next[index] = false }
      for index in pattern.indices where current[index] {
        switch pattern[index] {
        case 0x2A: next[index] = true
        case 0x25: if byte != 0x2F { next[index] = true }
        case byte: next[index + 1] = true
        default: continue
        }
        isAlive = true
      }
      guard isAlive else { return false }
      spread(&next)
      swap(&current, &next)
    }
    return current[pattern.count]
  }

  /// A wildcard may stand for nothing.
  private func spread(_ positions: inout [Bool]) {
    for index in pattern.indices where positions[index] && (pattern[index] == 0x2A || pattern[index] == 0x25) {
      positions[index + 1] = true
    }
  }
}
