import Bytes
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The line that begins a message in an mbox: `From alice@example.org Tue Jul 23 19:39:23 2002`, with a zone before or
/// behind the year where the writer was careful.  RFC 4155 appendix A.
struct FromLine: Equatable {
  /// Written in this zone; where the line names none, in the writer's own, which is taken for this machine's.
  var date: DateTime
  var hasZone: Bool

  /// - Parameter line: without its line end. Nil for a line of text that happens to begin like this.
  init?(_ line: ArraySlice<UInt8>) {
    guard line.starts(with: "From ".utf8) else { return nil }
    let words = line.dropFirst(5).prefix(1_000).split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    // Senders have spaces in them, so the date is looked for: a weekday and a month that follow each other.
    guard
      let start = words.indices.dropLast(3).first(where: { index in
        words[index].isOne(of: Self.weekdays) && words[index + 1].isOne(of: Self.months)
      })
    else { return nil }
    let rest = words[(start + 2)...].map { String(decoding: $0, as: UTF8.self) }
    guard let time = rest.firstIndex(where: { $0.utf8.contains(0x3A) }), time >= 1 else { return nil }
    let year = rest[(time + 1)...].first { $0.utf8.count == 4 && $0.utf8.allSatisfy { $0.isIn(.digit) } }
    guard let year else { return nil }
    let zone = rest[(time + 1)...].first { word in
      word.utf8.count == 5 && (word.hasPrefix("+") || word.hasPrefix("-")) || ["GMT", "UTC"].contains(word)
    }
    let month = String(decoding: words[start + 1], as: UTF8.self)
    let text = "\(rest[0]) \(month) \(year) \(rest[time]) \(zone ?? "+0000")"
    guard let date = DateTime(rfc5322: Array(text.utf8)[...]) else { return nil }
    self.date = date
    hasZone = zone != nil
    if !hasZone { self.date = Self.inLocalZone(date) }
  }

  /// The moment at which a clock on the wall here shows what `date` shows in UTC.
  private static func inLocalZone(_ date: DateTime) -> DateTime {
    var seconds = time_t(date.timestamp.seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    parts.tm_isdst = -1
    let local = Int64(mktime(&parts))
    return DateTime(
      timestamp: Timestamp(seconds: local), offsetMinutes: Int((date.timestamp.seconds - local) / 60))
  }

  /// The line for a message, with the zone.
  static func text(sender: [UInt8], date: DateTime) -> [UInt8] {
    // `Wed, 17 Jul 1996 02:44:25 -0700` has all the parts of asctime's order.
    let words = date.rfc5322.split(separator: " ")
    let day = words[1].count < 2 ? " \(words[1])" : String(words[1])
    var line = Array("From ".utf8)
    let name = sender.prefix(320).filter { $0 > 0x20 && $0 != 0x7F }
    line += name.isEmpty ? Array("MAILER-DAEMON".utf8) : name
    line.append(text: " \(words[0].dropLast()) \(words[2]) \(day) \(words[4]) \(words[3]) \(words[5])\n")
    return line
  }

  private static let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]
}

extension ArraySlice<UInt8> {
  fileprivate func isOne(of names: [String]) -> Bool {
    count == 3 && names.contains { $0.utf8.elementsEqual(lazy.map(\.asciiLowercased)) }
  }
}
