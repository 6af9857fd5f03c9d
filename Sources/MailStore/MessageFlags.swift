/// The system flags that are kept.  `\Recent` is not among them: it belongs to a session.  RFC 9051 §2.3.2.
package struct SystemFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let seen = SystemFlags(rawValue: 1)
  package static let answered = SystemFlags(rawValue: 2)
  package static let flagged = SystemFlags(rawValue: 4)
  package static let deleted = SystemFlags(rawValue: 8)
  package static let draft = SystemFlags(rawValue: 16)
}

/// A keyword (`$Forwarded`, `NonJunk`, …): an atom, compared without regard to ASCII case, shown as first written.
package struct Keyword: Hashable, Comparable, Sendable {
  package let text: String
  package init(_ text: String) { self.text = text }
  package static func == (left: Self, right: Self) -> Bool { left.text.lowercased() == right.text.lowercased() }
  package func hash(into hasher: inout Hasher) { hasher.combine(text.lowercased()) }
  package static func < (left: Self, right: Self) -> Bool { left.text.lowercased() < right.text.lowercased() }
}

/// The flags of one message in one mailbox. `keywords` is sorted and without doubles.
package struct MessageFlags: Hashable, Sendable {
  package var system: SystemFlags
  package var keywords: [Keyword]
  package init(_ system: SystemFlags = [], keywords: [Keyword] = []) {
    self.system = system
    self.keywords = keywords
  }
}

/// What a STORE does.  RFC 9051 §6.4.6.
package enum FlagChange: Sendable {
  case replace(MessageFlags)
  case add(MessageFlags)
  case remove(MessageFlags)
}
