import Bytes

/// A moment together with the offset from UTC in which somebody wrote it.  RFC 5322 §3.3, RFC 9051 `date-time`.
package struct DateTime: Hashable, Sendable {
  package var timestamp: Timestamp
  /// Minutes east of UTC, -1439…1439.
  package var offsetMinutes: Int

  package init(timestamp: Timestamp, offsetMinutes: Int) {
    self.timestamp = timestamp
    self.offsetMinutes = offsetMinutes
  }

  init(date: CalendarDate, secondOfDay: Int, offsetMinutes: Int) {
    self.init(
      timestamp: Timestamp(seconds: Int64(date.days * 86_400 + secondOfDay - offsetMinutes * 60)),
      offsetMinutes: offsetMinutes)
  }

  /// The day on which it was written, in the writer's own zone. SEARCH compares by it.
  package var date: CalendarDate { CalendarDate(days: Int((localSeconds - secondOfDay) / 86_400)) }

  private var localSeconds: Int64 { timestamp.seconds + Int64(offsetMinutes) * 60 }
  private var secondOfDay: Int64 {
    let remainder = localSeconds % 86_400
    return remainder < 0 ? remainder + 86_400 : remainder
  }

  /// Parses IMAP's quoted `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700`.  RFC 9051 §9.
  package init?(imap text: ArraySlice<UInt8>) {
    let text = text.first == 0x20 ? text.dropFirst() : text
    let parts = text.split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 3, let date = CalendarDate(imap: parts[0]), parts[1].count == 8,
      let seconds = Self.secondOfDay(parts[1]), parts[2].count == 5, let offset = Self.numericZone(parts[2])
    else { return nil }
    self.init(date: date, secondOfDay: seconds, offsetMinutes: offset)
  }

  /// Seconds of `02:44:25`, `2:44` or `02.44.25`.
  static func secondOfDay(_ text: ArraySlice<UInt8>) -> Int? {
    let parts = text.split(omittingEmptySubsequences: false) { $0 == 0x3A || $0 == 0x2E }
    guard 2...3 ~= parts.count, parts.allSatisfy({ $0.count <= 2 }), let hour = decimal(parts[0]), hour < 24,
      let minute = decimal(parts[1]), minute < 60
    else { return nil }
    guard parts.count == 3 else { return hour * 3600 + minute * 60 }
    // 60 is a leap second.
    guard let second = decimal(parts[2]), second <= 60 else { return nil }
    return hour * 3600 + minute * 60 + second
  }

  /// Minutes of `+0200` or `-07:00`.
  static func numericZone(_ text: ArraySlice<UInt8>) -> Int? {
    guard let sign = text.first, sign == 0x2B || sign == 0x2D,
      let digits = decimal(text.dropFirst().filter { $0 != 0x3A }), 4...5 ~= text.dropFirst().count
    else { return nil }
    let (hours, minutes) = (digits / 100, digits % 100)
    guard hours < 24, minutes < 60 else { return nil }
    return (sign == 0x2D ? -1 : 1) * (hours * 60 + minutes)
  }

  /// `Wed, 17 Jul 1996 02:44:25 -0700`.
  package var rfc5322: String {
    let (year, month, day) = date.components
    return "\(weekdayNames[date.weekday]), \(day) \(monthNames[month - 1]) \(padded(year, 4)) \(clockText)"
  }

  /// `17-Jul-1996 02:44:25 -0700`, day padded with a space as `date-day-fixed`, without quotes.
  package var imap: String {
    let (year, month, day) = date.components
    return "\(day < 10 ? " " : "")\(day)-\(monthNames[month - 1])-\(padded(year, 4)) \(clockText)"
  }

  private var clockText: String {
    let second = Int(secondOfDay)
    let zone = abs(offsetMinutes)
    return """
      \(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2)) \
      \(offsetMinutes < 0 ? "-" : "+")\(padded(zone / 60, 2))\(padded(zone % 60, 2))
      """
  }
}

/// Of a number that is not negative: with zeros in front.
func padded(_ value: Int, _ width: Int) -> String {
  let digits = String(value)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
