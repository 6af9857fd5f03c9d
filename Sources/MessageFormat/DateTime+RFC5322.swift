import Bytes

extension DateTime {
  /// Parses an RFC 5322 `date-time` as mail really writes it (obsolete zones, two-digit years, missing weekday,
  /// comments, the order of `asctime`). Returns nil where no date can be made out.
  package init?(rfc5322 text: ArraySlice<UInt8>) {
    var day: Int?
    var month: Int?
    var year: Int?
    var time: Int?
    var offset: Int?
    for word in Self.words(of: text.prefix(256)) {
      guard let first = word.first, let last = word.last else { continue }
      if time == nil, word.contains(0x3A), first.isIn(.digit), let seconds = Self.secondOfDay(word) {
        time = seconds
      } else if first == 0x2B || first == 0x2D {
        if offset == nil { offset = Self.numericZone(word) }
      } else if first.isIn(.digit), last.isIn(.digit), let number = decimal(word) {
        if day == nil, word.count <= 2 {
          day = number
        } else if year == nil {
          year = Self.fullYear(number, digits: word.count)
        }
      } else if word.contains(0x2D) {
        // `17-Jul-1996`, as some programs write.
        let parts = word.split(separator: 0x2D)
        if parts.count == 3, day == nil {
          day = decimal(parts[0])
          month = monthNumber(parts[1])
          year = decimal(parts[2]).map { Self.fullYear($0, digits: parts[2].count) }
        }
      } else if month == nil, let number = monthNumber(word), time == nil || day == nil {
        month = number
      } else if time != nil, offset == nil {
        offset = Self.namedZone(word)
      }
    }
    guard let day, let month, let year, let date = CalendarDate(year: year, month: month, day: day) else { return nil }
    self.init(date: date, secondOfDay: time ?? 0, offsetMinutes: offset ?? 0)
  }

  /// Words between white space, commas and (nested) comments.
  private static func words(of text: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var words: [ArraySlice<UInt8>] = []
    var depth = 0
    var start: Int?
    for index in text.indices {
      let byte = text[index]
      let isSeparator = depth > 0 || byte <= 0x20 || byte == 0x2C || byte == 0x28 || byte == 0x29
      if isSeparator, let begin = start {
        words.append(text[begin..<index])
        start = nil
      } else if !isSeparator, start == nil {
        start = index
      }
      if byte == 0x28 { depth += 1 }
      if byte == 0x29, depth > 0 { depth -= 1 }
    }
    if let start { words.append(text[start...]) }
    return words
  }

  /// RFC 5322 §4.3: two digits below 50 are of this century; other years of two or three digits count from 1900.
  private static func fullYear(_ year: Int, digits: Int) -> Int {
    switch digits {
    case ...2: year < 50 ? year + 2000 : year + 1900
    case 3: year + 1900
    default: year
    }
  }

  /// RFC 5322 §4.3: the named zones of the United States; every other name says nothing, as `-0000`.
  private static func namedZone(_ name: ArraySlice<UInt8>) -> Int? {
    guard let first = name.first?.asciiLowercased, name.count == 3, name.last?.asciiLowercased == 0x74 else { return 0 }
    let hours: Int
    switch first {
    case 0x65: hours = -5
    case 0x63: hours = -6
    case 0x6D: hours = -7
    case 0x70: hours = -8
    default: return 0
    }
    switch name[name.startIndex + 1].asciiLowercased {
    case 0x73: return hours * 60
    case 0x64: return (hours + 1) * 60
    default: return 0
    }
  }
}
