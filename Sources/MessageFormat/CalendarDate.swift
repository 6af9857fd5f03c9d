import Bytes

/// A day of the proleptic Gregorian calendar, counted from 1970-01-01. What SEARCH compares by.  RFC 9051 §6.4.4.
package struct CalendarDate: Hashable, Comparable, Sendable {
  /// Days since 1970-01-01; negative before it.
  package let days: Int

  package init(days: Int) { self.days = days }

  /// Returns nil for a day that does not exist, and for years outside 1…9999.
  package init?(year: Int, month: Int, day: Int) {
    guard 1...9999 ~= year, 1...12 ~= month, day >= 1, day <= Self.length(ofMonth: month, in: year) else { return nil }
    // Days from civil: years begin in March, so that the leap day is the last one.
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    days = era * 146_097 + dayOfEra - 719_468
  }

  /// Parses IMAP's `date-text`: `1-Feb-1994`.  RFC 9051 §9.
  package init?(imap text: ArraySlice<UInt8>) {
    let parts = text.split(separator: 0x2D, maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3, 1...2 ~= parts[0].count, parts[2].count == 4, let day = decimal(parts[0]),
      let month = monthNumber(parts[1]), let year = decimal(parts[2])
    else { return nil }
    self.init(year: year, month: month, day: day)
  }

  package static func < (left: Self, right: Self) -> Bool { left.days < right.days }

  private static func length(ofMonth month: Int, in year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  package var components: (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  /// 0 for Sunday.
  package var weekday: Int { ((days + 4) % 7 + 7) % 7 }
}

let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
let weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

/// 1…12 for a month's English name, of which the first three letters count.
func monthNumber(_ text: ArraySlice<UInt8>) -> Int? {
  guard text.count >= 3 else { return nil }
  let letters = text.prefix(3).map(\.asciiLowercased)
  let key = UInt32(letters[0]) << 16 | UInt32(letters[1]) << 8 | UInt32(letters[2])
  switch key {
  case 0x6A616E: return 1
  case 0x666562: return 2
  case 0x6D6172: return 3
  case 0x617072: return 4
  case 0x6D6179: return 5
  case 0x6A756E: return 6
  case 0x6A756C: return 7
  case 0x617567: return 8
  case 0x736570: return 9
  case 0x6F6374: return 10
  case 0x6E6F76: return 11
  case 0x646563: return 12
  default: return nil
  }
}

/// The value of one to nine decimal digits and nothing else.
func decimal(_ digits: some Collection<UInt8>) -> Int? {
  guard 1...9 ~= digits.count else { return nil }
  var value = 0
  for digit in digits {
    guard digit &- 0x30 < 10 else { return nil }
    value = value * 10 + Int(digit &- 0x30)
  }
  return value
}
