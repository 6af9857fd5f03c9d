import Bytes
import MessageFormat

/// A day of the calendar, without a zone: the argument of SEARCH's date keys.
struct CalendarDate: Hashable, Comparable, Sendable {
  var year: Int
  /// 1…12.
  var month: Int
  /// 1…31.
  var day: Int

  static func < (left: Self, right: Self) -> Bool {
    (left.year, left.month, left.day) < (right.year, right.month, right.day)
  }

  /// Days since 1970-01-01, for comparing with a timestamp.
  var daysSince1970: Int {
    // Howard Hinnant's days_from_civil: the year begins in March, so the leap day is its last.
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static let months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
}

extension ByteCursor {
  /// `date` = date-text / DQUOTE date-text DQUOTE, where date-text is `1-Feb-1994`.
  mutating func date() throws(IMAPSyntaxError) -> CalendarDate {
    let start = position
    let isQuoted = skip(0x22)
    let day = take { $0.isIn(.digit) }
    if (1...2).contains(day.count), skip(0x2D) {
      let month = take { $0.isIn(.alpha) }
      if let index = CalendarDate.months.firstIndex(of: String(decoding: month.asciiUppercased, as: UTF8.self)),
        skip(0x2D)
      {
        let year = take { $0.isIn(.digit) }
        let dayNumber = day.decimalValue
        if year.count == 4, (1...31).contains(dayNumber), !isQuoted || skip(0x22) {
          return CalendarDate(year: year.decimalValue, month: index + 1, day: dayNumber)
        }
      }
    }
    position = start
    throw expected("a date such as 1-Feb-1994")
  }

  /// `date-time`, quoted: `"17-Jul-1996 02:44:25 -0700"`.
  mutating func dateTime() throws(IMAPSyntaxError) -> DateTime {
    let start = position
    guard peek == 0x22, let value = DateTime(imap: try quoted()[...]) else {
      position = start
      throw expected("a date and time such as \"17-Jul-1996 02:44:25 -0700\"")
    }
    return value
  }
}

extension ArraySlice<UInt8> {
  /// The value of at most a few decimal digits.
  fileprivate var decimalValue: Int { reduce(0) { $0 * 10 + Int($1 &- 0x30) } }
}
