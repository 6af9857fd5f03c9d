import Bytes
package import Logging
package import MessageFormat

/// How an event becomes a line.
package enum LogFormat: String, CaseIterable, Sendable {
  /// `time=… level=info event=auth_failed user=alice@example.org`
  case logfmt
  case json

  /// The line with its line end. Metadata in the order of its names, `conn` first.
  package func encode(
    time: Timestamp, level: Logger.Level, event: String, metadata: [(key: String, value: String)]
  ) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(128)
    switch self {
    case .logfmt:
      line.append(literal: "time=")
      line.append(text: iso8601(time))
      line.append(literal: " level=")
      line.append(text: level.rawValue)
      line.append(literal: " event=")
      appendLogfmt(event, to: &line)
      for (key, value) in metadata {
        line.append(0x20)
        // A key with a space or an equals sign would break the line apart.
        line.append(contentsOf: key.utf8.map { $0 > 0x20 && $0 != 0x3D && $0 != 0x22 ? $0 : 0x5F })
        line.append(0x3D)
        appendLogfmt(value, to: &line)
      }
    case .json:
      line.append(literal: "{\"time\":\"")
      line.append(text: iso8601(time))
      line.append(literal: "\",\"level\":\"")
      line.append(text: level.rawValue)
      line.append(literal: "\",\"event\":")
      appendQuoted(event, to: &line)
      for (key, value) in metadata {
        line.append(0x2C)
        appendQuoted(key, to: &line)
        line.append(0x3A)
        appendQuoted(value, to: &line)
      }
      line.append(0x7D)
    }
    line.append(0x0A)
    return line
  }
}

/// Bare where nothing in it could be misread, else quoted.
private func appendLogfmt(_ text: String, to line: inout [UInt8]) {
  let isPlain =
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C }
  if isPlain { line.append(text: text) } else { appendQuoted(text, to: &line) }
}

/// A JSON string.  RFC 8259 §7. Control characters of a hostile client cannot start a line of their own.
private func appendQuoted(_ text: String, to line: inout [UInt8]) {
  let digits = Array("0123456789abcdef".utf8)
  line.append(0x22)
  for byte in text.utf8 {
    switch byte {
    case 0x22, 0x5C:
      line.append(0x5C)
      line.append(byte)
    case 0x0A: line.append(literal: "\\n")
    case 0x0D: line.append(literal: "\\r")
    case 0x09: line.append(literal: "\\t")
    case 0..<0x20, 0x7F:
      line.append(literal: "\\u00")
      line.append(digits[Int(byte >> 4)])
      line.append(digits[Int(byte & 15)])
    default: line.append(byte)
    }
  }
  line.append(0x22)
}

/// `2026-01-31T08:15:30.000123Z`
package func iso8601(_ time: Timestamp) -> String {
  let seconds = time.seconds
  let microseconds = Int(time.microseconds - seconds * 1_000_000)
  let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
  let secondOfDay = Int(seconds - days * 86_400)
  // Howard Hinnant's civil_from_days: years begin in March, eras have 400 of them.
  let shifted = Int(days) + 719_468
  let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
  let dayOfEra = shifted - era * 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shiftedMonth = (5 * dayOfYear + 2) / 153
  let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
  let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

  var text: [UInt8] = []
  text.reserveCapacity(27)
  func append(_ number: Int, _ width: Int) {
    var power = 1
    for _ in 1..<width { power *= 10 }
    while power > 0 {
      text.append(0x30 + UInt8(number / power % 10))
      power /= 10
    }
  }
  append(year, 4)
  text.append(0x2D)
  append(month, 2)
  text.append(0x2D)
  append(day, 2)
  text.append(0x54)
  append(secondOfDay / 3_600, 2)
  text.append(0x3A)
  append(secondOfDay / 60 % 60, 2)
  text.append(0x3A)
  append(secondOfDay % 60, 2)
  text.append(0x2E)
  append(microseconds, 6)
  text.append(0x5A)
  return String(decoding: text, as: UTF8.self)
}
