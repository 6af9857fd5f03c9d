/// An account of the store. Never reused.
package struct AccountID: Hashable, Comparable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A mailbox of the store. Never reused; it stays the same when the mailbox is renamed (RFC 8474 MAILBOXID).
package struct MailboxID: Hashable, Comparable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A message: immutable content, the same in every mailbox it is in (RFC 8474 EMAILID).
package struct EmailID: Hashable, Comparable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A unique identifier of a message in a mailbox, 1…2³²−1, ascending and never reused.  RFC 9051 §2.3.1.1.
package struct UID: Hashable, Comparable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Together with a UID it names a message for ever; non-zero.  RFC 9051 §2.3.1.1.
package struct UIDValidity: Hashable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Grows with every change of a mailbox, 1…2⁶³−1.  RFC 7162 §3.1.
package struct ModSequence: Hashable, Comparable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
