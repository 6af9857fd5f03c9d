import Bytes

/// Another server's mailboxes of one user: `imaps://alice%40example.org@mail.example.org`, with a port where it is not
/// the usual one.
package struct IMAPLocation: Hashable, Sendable {
  package enum Security: Hashable, Sendable {
    /// From the first octet.
    case tls
    /// STARTTLS, without which nobody logs in.
    case startTLS
  }

  package var security: Security
  package var host: String
  package var port: UInt16
  package var user: String

  package static func isURL(_ text: String) -> Bool {
    let start = text.prefix(8).lowercased()
    return start.hasPrefix("imaps://") || start.hasPrefix("imap://")
  }

  package init(_ text: String) throws(TransferError) {
    guard Self.isURL(text), let colon = text.firstIndex(of: ":") else {
      throw .source("expected imaps://user@host")
    }
    security = text[..<colon].lowercased() == "imaps" ? .tls : .startTLS
    var rest = text[text.index(colon, offsetBy: 3)...]
    if let slash = rest.firstIndex(of: "/") {
      guard rest[slash...].dropFirst().isEmpty else {
        throw .source("the address ends behind the host; name mailboxes with --mailbox")
      }
      rest = rest[..<slash]
    }
    // The last one: a user's name is often an address.
    guard let at = rest.lastIndex(of: "@"), at > rest.startIndex else {
      throw .source("the address names no user: expected imaps://user@host")
    }
    guard !rest[..<at].contains(":") else {
      throw .source(
        "a password in the address can be read by everybody on the machine: leave it out, it is asked for, or give "
          + "--password-file")
    }
    guard let user = Self.decoded(rest[..<at]) else { throw .source("the user's name is not UTF-8") }
    self.user = user
    let place = rest[rest.index(after: at)...]
    let usual: UInt16 = security == .tls ? 993 : 143
    if place.first == "[", let bracket = place.firstIndex(of: "]") {
      host = String(place[place.index(after: place.startIndex)..<bracket])
      port = try Self.port(place[place.index(after: bracket)...], usual: usual)
    } else {
      let colon = place.firstIndex(of: ":") ?? place.endIndex
      host = place[..<colon].lowercased()
      port = try Self.port(place[colon...], usual: usual)
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw .source("the address names no host: expected imaps://user@host")
    }
  }

  private static func port(_ text: Substring, usual: UInt16) throws(TransferError) -> UInt16 {
    if text.isEmpty { return usual }
    guard text.first == ":", let port = UInt16(text.dropFirst()), port > 0 else {
      throw .source("\(text.dropFirst()) is not a port")
    }
    return port
  }

  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var source = Array(text.utf8)[...]
    while let byte = source.popFirst() {
      if byte == 0x25, let high = source.first?.hexValue, let low = source.dropFirst().first?.hexValue {
        bytes.append(high << 4 | low)
        source = source.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Names the user's mail for ever: the same with and without TLS from the first octet. Behind another port may be
  /// another server, with other mail under the same names and UIDVALIDITY.
  var identity: String { [143, 993].contains(port) ? "imap://\(user)@\(host)" : "imap://\(user)@\(host):\(port)" }
}
