package import MessageFormat

/// A day from 00:00 to 24:00 UTC: what one report is about.  RFC 8460 §4.1.
package struct UTCDay: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Since 1970-01-01.
  package let number: Int

  private static let length: Int64 = 86_400

  package init(number: Int) { self.number = number }

  package init(of time: Timestamp) {
    let seconds = time.seconds
    number = Int(seconds >= 0 ? seconds / Self.length : (seconds - Self.length + 1) / Self.length)
  }

  package var start: Timestamp { Timestamp(seconds: Int64(number) * Self.length) }
  /// The first moment after it.
  package var end: Timestamp { Timestamp(seconds: Int64(number + 1) * Self.length) }

  package static func < (left: UTCDay, right: UTCDay) -> Bool { left.number < right.number }

  /// `2026-05-17`.
  package var description: String { String(start.rfc3339.prefix { $0 != "T" }) }
}
