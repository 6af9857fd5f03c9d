import Bytes
import MailStore

/// How mailbox names are written on this connection.
enum MailboxNameCoding: Sendable {
  /// IMAP4rev1: modified UTF-7.  RFC 3501 §5.1.3.
  case modifiedUTF7
  /// After `ENABLE IMAP4rev2`: UTF-8, and `&` is just a character.  RFC 9051 §5.1.
  case utf8

  func decode(_ bytes: [UInt8]) -> String? {
    switch self {
    case .modifiedUTF7:
      if let text = ModifiedUTF7.decode(bytes) { return text }
      // Raw UTF-8 has one meaning, and clients send it before they ENABLE anything. So has a lone `&`: none at all.
      guard bytes.contains(where: { $0 >= 0x80 }) else { return nil }
      return String(validating: bytes, as: UTF8.self)
    case .utf8: return String(validating: bytes, as: UTF8.self)
    }
  }

  func encode(_ text: String) -> [UInt8] {
    switch self {
    case .modifiedUTF7: ModifiedUTF7.encode(text)
    case .utf8: Array(text.utf8)
    }
  }
}

/// A `mailbox` as a client wrote it.
enum MailboxArgument: Hashable, Sendable {
  case name(MailboxName)
  /// Well-formed IMAP that can name no mailbox of ours; the text is decoded. It is answered with `NO`, not `BAD`.
  case impossible(String)

  func resolved() throws(IMAPFailure) -> MailboxName {
    switch self {
    case .name(let name): return name
    case .impossible: throw .store(.invalidMailboxName)
    }
  }
}

extension ByteCursor {
  /// `mailbox`: an astring. `INBOX` in any case is INBOX (`MailboxName` sees to it); one separator at the end, as
  /// Thunderbird sends it, is taken off.
  mutating func mailbox(_ coding: MailboxNameCoding) throws(IMAPSyntaxError) -> MailboxArgument {
    let bytes = try astring()
    guard var text = coding.decode(bytes) else {
      return .impossible(String(decoding: bytes, as: UTF8.self))
    }
    if text.count > 1, text.last == MailboxName.separator { text.removeLast() }
    return MailboxName(text).map { .name($0) } ?? .impossible(text)
  }

  /// `list-mailbox`: a pattern with `%` and `*`, decoded.
  mutating func listMailbox(_ coding: MailboxNameCoding) throws(IMAPSyntaxError) -> String {
    let bytes: [UInt8]
    switch peek {
    case 0x22: bytes = try quoted()
    case 0x7B: bytes = Array(try literal())
    default:
      bytes = Array(take { $0.isIn(.listChar) || $0 >= 0x80 })
      guard !bytes.isEmpty else { throw expected("a mailbox pattern") }
    }
    return coding.decode(bytes) ?? String(decoding: bytes, as: UTF8.self)
  }
}
