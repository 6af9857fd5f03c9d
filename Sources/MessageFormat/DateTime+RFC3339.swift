import Bytes

/// Dates as the protocols of today write them: `1996-12-19T16:39:57-08:00`, `1990-12-31T23:59:60Z`.  RFC 3339 §5.6.
extension DateTime {
  package init?(rfc3339 text: ArraySlice<UInt8>) {
    let text = Array(text)
    guard (20...40).contains(text.count), text[4] == 0x2D, text[7] == 0x2D, text[10].asciiUppercased == 0x54,
      text[13] == 0x3A, text[16] == 0x3A, let year = decimal(text[0..<4]), let month = decimal(text[5..<7]),
      let day = decimal(text[8..<10]), let date = CalendarDate(year: year, month: month, day: day),
      let seconds = Self.secondOfDay(text[11..<19])
    else { return nil }
    var rest = text[19...]
    if rest.first == 0x2E {
      // Parts of a second are read and not kept.
      let fraction = rest.dropFirst().prefix { $0 &- 0x30 < 10 }
      guard !fraction.isEmpty else { return nil }
      rest = rest[fraction.endIndex...]
    }
    if rest.count == 1, rest.first?.asciiUppercased == 0x5A {
      self.init(date: date, secondOfDay: seconds, offsetMinutes: 0)
    } else {
      guard rest.count == 6, rest[rest.startIndex + 3] == 0x3A, let offset = Self.numericZone(rest) else { return nil }
      self.init(date: date, secondOfDay: seconds, offsetMinutes: offset)
    }
  }
}

extension Timestamp {
  /// In UTC, to the second.
  package var rfc3339: String {
    let days = Int((seconds >= 0 ? seconds : seconds - 86_399) / 86_400)
    let second = Int(seconds) - days * 86_400
    let (year, month, day) = CalendarDate(days: days).components
    return """
      \(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\
      \(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))Z
      """
  }
}
