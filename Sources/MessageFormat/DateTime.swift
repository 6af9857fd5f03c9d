/// A moment together with the offset from UTC in which somebody wrote it.  RFC 5322 §3.3, RFC 9051 `date-time`.
package struct DateTime: Hashable, Sendable {
  package var timestamp: Timestamp
  /// Minutes east of UTC, -1439…1439.
  package var offsetMinutes: Int

  package init(timestamp: Timestamp, offsetMinutes: Int) {
    self.timestamp = timestamp
    self.offsetMinutes = offsetMinutes
  }

  /// Parses an RFC 5322 `date-time` as mail really writes it (obsolete zones, two-digit years, missing weekday,
  /// comments). Returns nil where no date can be made out.
  package init?(rfc5322 text: ArraySlice<UInt8>) { fatalError("skeleton") }

  /// Parses IMAP's quoted `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700`.  RFC 9051 §9.
  package init?(imap text: ArraySlice<UInt8>) { fatalError("skeleton") }

  /// `Wed, 17 Jul 1996 02:44:25 -0700`.
  package var rfc5322: String { fatalError("skeleton") }
  /// `17-Jul-1996 02:44:25 -0700`, day padded with a space as `date-day-fixed`, without quotes.
  package var imap: String { fatalError("skeleton") }
}
