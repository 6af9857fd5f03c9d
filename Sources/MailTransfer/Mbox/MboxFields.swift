import Bytes
import MailStore

/// Header fields that are not the message's but the mbox's: what its readers keep there about a message. They are taken
/// out on the way in, and written on the way out.
struct MboxFields: Equatable {
  var system: SystemFlags = []
  var keywords: [String] = []
  var uid: UID?
  var base: Base?
  /// Thunderbird leaves deleted messages in the file until it compacts it.
  var isExpunged = false
  /// Where the body ends, by a program that does not quote; not always true.
  var contentLength: Int?

  /// `X-IMAPbase: <uidvalidity> <last uid> <keyword>…`, in the first message.
  struct Base: Equatable {
    var uidValidity: UIDValidity
    var lastUID: UInt32
    /// The file's own note in the place of a first message (c-client): there is no message.
    var isPseudoMessage: Bool
  }

  /// Takes the field if it is one of these; false for one of the message.
  mutating func take(name: [UInt8], body: [UInt8]) -> Bool {
    switch String(decoding: name.asciiLowercased, as: UTF8.self) {
    case "content-length": contentLength = Int(String(decoding: body, as: UTF8.self))
    case "status": if body.contains(0x52) { system.insert(.seen) }
    case "x-status": takeStatus(body)
    case "x-keywords": keywords += Self.words(body)
    case "x-uid": uid = Self.number(body).map { UID(rawValue: $0) }
    case "x-imapbase": base = Self.base(body, isPseudoMessage: false)
    case "x-imap": base = Self.base(body, isPseudoMessage: true)
    case "x-mozilla-status": takeMozillaStatus(body)
    case "x-mozilla-status2": break
    case "x-mozilla-keys": keywords += Self.words(body)
    default: return false
    }
    return true
  }

  private mutating func takeStatus(_ letters: [UInt8]) {
    for letter in letters {
      switch letter {
      case 0x41: system.insert(.answered)
      case 0x46: system.insert(.flagged)
      case 0x54: system.insert(.draft)
      case 0x44: system.insert(.deleted)
      default: break
      }
    }
  }

  /// Four hexadecimal digits, of which some bits are of interest (nsMsgMessageFlags).
  private mutating func takeMozillaStatus(_ digits: [UInt8]) {
    guard let bits = UInt16(String(decoding: digits, as: UTF8.self), radix: 16) else { return }
    if bits & 0x0001 != 0 { system.insert(.seen) }
    if bits & 0x0002 != 0 { system.insert(.answered) }
    if bits & 0x0004 != 0 { system.insert(.flagged) }
    if bits & 0x0008 != 0 { isExpunged = true }
    if bits & 0x1000 != 0 { keywords.append("$Forwarded") }
  }

  private static func base(_ body: [UInt8], isPseudoMessage: Bool) -> Base? {
    let words = words(body)
    guard words.count >= 2, let validity = UInt32(words[0]), validity > 0, let last = UInt32(words[1]) else {
      return nil
    }
    return Base(uidValidity: UIDValidity(rawValue: validity), lastUID: last, isPseudoMessage: isPseudoMessage)
  }

  private static func number(_ body: [UInt8]) -> UInt32? {
    words(body).first.flatMap { UInt32($0) }.flatMap { $0 > 0 ? $0 : nil }
  }

  private static func words(_ body: [UInt8]) -> [String] {
    body.split { $0 == 0x20 || $0 == 0x09 }.map { String(decoding: $0, as: UTF8.self) }
  }

  var flags: MessageFlags { MessageFlags(system, keywordNames: keywords) }

  /// The lines for a message on its way out.
  static func text(flags: MessageFlags, uid: UID) -> String {
    var text = "X-UID: \(uid.rawValue)\nStatus: \(flags.system.contains(.seen) ? "RO" : "O")\n"
    var letters = ""
    let table: [(SystemFlags, String)] = [(.answered, "A"), (.deleted, "D"), (.flagged, "F"), (.draft, "T")]
    for (flag, letter) in table where flags.system.contains(flag) { letters += letter }
    if !letters.isEmpty { text += "X-Status: \(letters)\n" }
    if !flags.keywords.isEmpty { text += "X-Keywords: \(flags.keywords.map(\.text).joined(separator: " "))\n" }
    return text
  }
}
