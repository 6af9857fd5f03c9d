import Bytes
import MailStore

/// A mailbox's place in a Maildir++: one directory for each, `.Sent` or `.Lists.swift`, levels separated by dots and
/// written in modified UTF-7. A dot that is part of a name is `\2e`, as Dovecot's listescape plug-in writes it.
enum MaildirFolderName {
  /// The levels of a directory's name without its first dot; nil where one of them is empty.
  static func levels(_ name: some Collection<UInt8>) -> [String]? {
    let parts = Array(name).split(separator: 0x2E, omittingEmptySubsequences: false)
    guard !parts.contains(where: \.isEmpty) else { return nil }
    return parts.map { unescaped(level($0)) }
  }

  /// One level of a hierarchy of directories.
  static func level(_ bytes: some Collection<UInt8>) -> String {
    ModifiedUTF7.decode(bytes) ?? String(decoding: bytes, as: UTF8.self)
  }

  /// With the first dot.
  static func directory(of name: MailboxName) -> [UInt8] {
    var bytes: [UInt8] = []
    for level in name.text.split(separator: MailboxName.separator) {
      bytes.append(0x2E)
      for byte in ModifiedUTF7.encode(String(level)) {
        switch byte {
        case 0x2E: bytes.append(literal: "\\2e")
        // A backslash of its own, or what is written above would have two meanings.
        case 0x5C: bytes.append(literal: "\\5c")
        default: bytes.append(byte)
        }
      }
    }
    return bytes
  }

  private static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(0x5C) else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if bytes[position] == 0x5C, position + 2 < bytes.count, let high = bytes[position + 1].hexValue,
        let low = bytes[position + 2].hexValue
      {
        result.append(high << 4 | low)
        position += 3
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    return String(validating: result, as: UTF8.self) ?? text
  }
}
