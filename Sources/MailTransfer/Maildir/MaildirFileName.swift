import Bytes
import MailStore

/// The name of a message's file: `1276528487.M364837P9451.host,S=1355,W=1394:2,RSab`.
///
/// What stands before the first `,` or `:` never changes and names the message; behind `:2,` are its flags as letters.
/// https://cr.yp.to/proto/maildir.html, https://doc.dovecot.org/admin_manual/mailbox_formats/maildir/
struct MaildirFileName {
  /// Upper-case letters of the flags, and `a`…`z` for keywords.
  var letters: [UInt8]

  init(_ name: some Collection<UInt8>) {
    let bytes = Array(name)
    letters = []
    guard let colon = bytes.lastIndex(of: 0x3A), bytes[colon...].starts(with: ":2,".utf8) else { return }
    letters = Array(bytes[(colon + 3)...].prefix { $0 != 0x2C })
  }

  /// How many octets of `name` name the message.
  static func baseLength(_ name: UnsafeRawBufferPointer) -> Int {
    name.firstIndex { $0 == 0x3A || $0 == 0x2C } ?? name.count
  }

  /// - Parameter keywords: what the letters stand for in this folder.
  func flags(keywords: DovecotKeywords) -> MessageFlags {
    var system: SystemFlags = []
    var names: [String] = []
    for letter in letters {
      switch letter {
      case 0x44: system.insert(.draft)
      case 0x46: system.insert(.flagged)
      case 0x52: system.insert(.answered)
      case 0x53: system.insert(.seen)
      case 0x54: system.insert(.deleted)
      // P: passed on to somebody.
      case 0x50: names.append("$Forwarded")
      default: if let name = keywords.name(of: letter) { names.append(name) }
      }
    }
    return MessageFlags(system, keywordNames: names)
  }

  /// The letters for flags, in the ASCII order that the format wants.
  static func letters(for flags: MessageFlags, keywords: inout DovecotKeywords) -> [UInt8] {
    var letters: [UInt8] = []
    let table: [(SystemFlags, UInt8)] = [
      (.draft, 0x44), (.flagged, 0x46), (.answered, 0x52), (.seen, 0x53), (.deleted, 0x54),
    ]
    for (flag, letter) in table where flags.system.contains(flag) { letters.append(letter) }
    for keyword in flags.keywords {
      if keyword == Keyword("$Forwarded") { letters.append(0x50) }
      if let letter = keywords.letter(for: keyword.text) { letters.append(letter) }
    }
    return letters.sorted()
  }
}
