import Bytes
import MailStore
import MessageFormat

/// The fields of a payload, one after the other: numbers as LEB128, texts with their length before them.
struct FieldWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func append(_ value: Int) { append(UInt64(value)) }
  mutating func append(_ flag: Bool) { append(flag ? 1 as UInt64 : 0) }

  mutating func append(_ octets: some Collection<UInt8>) {
    append(octets.count)
    bytes.append(contentsOf: octets)
  }

  mutating func append(_ text: String) { append(text.utf8) }

  /// Zero for none: no UID and no UIDVALIDITY is.
  mutating func append(_ uid: UID?) { append(UInt64(uid?.rawValue ?? 0)) }
  mutating func append(_ validity: UIDValidity?) { append(UInt64(validity?.rawValue ?? 0)) }

  mutating func append(_ flags: MessageFlags) {
    append(UInt64(flags.system.rawValue))
    append(flags.keywords.map(\.text).joined(separator: " "))
  }

  mutating func append(_ date: DateTime?) {
    append(date != nil)
    guard let date else { return }
    append(UInt64(bitPattern: date.timestamp.microseconds))
    append(date.offsetMinutes + Self.offsetBase)
  }

  mutating func append(_ use: SpecialUse?) { append(use?.rawValue ?? "") }

  /// More than any offset from UTC has minutes.
  static let offsetBase = 1_440
}

/// Reads what `FieldWriter` wrote; nil for anything else.
struct FieldReader {
  private var cursor: ByteCursor

  init(_ bytes: [UInt8]) { cursor = ByteCursor(bytes) }

  var isAtEnd: Bool { cursor.isAtEnd }

  mutating func number() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = cursor.next() {
      guard shift < 63 || shift == 63 && byte <= 1 else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  mutating func count() -> Int? { number().flatMap { Int(exactly: $0) } }

  mutating func flag() -> Bool? {
    switch number() {
    case 0: false
    case 1: true
    default: nil
    }
  }

  mutating func octets(limit: Int) -> [UInt8]? {
    guard let count = count(), count <= limit else { return nil }
    return cursor.take(count).map { Array($0) }
  }

  mutating func text(limit: Int) -> String? {
    octets(limit: limit).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// The outer optional is for what cannot be read.
  mutating func uid() -> UID?? {
    guard let number = number(), let value = UInt32(exactly: number) else { return nil }
    return .some(value == 0 ? nil : UID(rawValue: value))
  }

  mutating func validity() -> UIDValidity?? {
    guard let number = number(), let value = UInt32(exactly: number) else { return nil }
    return .some(value == 0 ? nil : UIDValidity(rawValue: value))
  }

  mutating func flags() -> MessageFlags? {
    guard let system = number(), system < 32, let words = text(limit: 65_536) else { return nil }
    return MessageFlags(
      SystemFlags(rawValue: UInt8(system)), keywordNames: words.split(separator: " ").map { String($0) })
  }

  mutating func date() -> DateTime?? {
    guard let isThere = flag() else { return nil }
    guard isThere else { return .some(nil) }
    guard let microseconds = number(), let offset = count(), offset > 0, offset < 2 * FieldWriter.offsetBase else {
      return nil
    }
    return DateTime(
      timestamp: Timestamp(microseconds: Int64(bitPattern: microseconds)),
      offsetMinutes: offset - FieldWriter.offsetBase)
  }

  mutating func specialUse() -> SpecialUse?? {
    guard let text = text(limit: 100) else { return nil }
    guard !text.isEmpty else { return .some(nil) }
    return SpecialUse(rawValue: text).map { .some($0) }
  }

  mutating func mailboxName() -> MailboxName? { text(limit: 4_096).flatMap { MailboxName($0) } }
}
