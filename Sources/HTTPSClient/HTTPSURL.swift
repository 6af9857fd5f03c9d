import Bytes

/// `https://host:port/path?query`.
package struct HTTPSURL: Hashable, Sendable, CustomStringConvertible {
  /// An ASCII host name.
  package let host: String
  package let port: UInt16
  /// Begins with a slash and is sent as it is, with the query.
  package let path: String

  /// Nil unless host and path are of the characters that have no meaning of their own in a URL.
  package init?(host: String, port: UInt16 = 443, path: String) {
    guard !host.isEmpty, host.utf8.allSatisfy(isPlain), path.utf8.first == UInt8(ascii: "/"),
      path.utf8.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: "/") })
    else { return nil }
    self.host = host
    self.port = port
    self.path = path
  }

  /// Reads one that somebody else has written; nil where it is none, has a user or a fragment, is for an address in
  /// brackets, or is longer than 1,000 octets.  RFC 3986 §3.
  package init?(_ text: String) {
    let scheme = "https://"
    guard text.utf8.count <= 1_000, text.utf8.prefix(scheme.utf8.count).map(\.asciiLowercased).elementsEqual(scheme.utf8)
    else { return nil }
    let rest = text.utf8.dropFirst(scheme.utf8.count)
    let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    let place = authority.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
    var port: UInt16 = 443
    // RFC 3986 §3.2.3: nothing after the colon is the usual port.
    if place.count == 2, !place[1].isEmpty {
      guard place[1].allSatisfy({ $0.isIn(.digit) }), let number = UInt16(String(decoding: place[1], as: UTF8.self)),
        number > 0
      else { return nil }
      port = number
    }
    let path = rest[authority.endIndex...]
    guard let host = place.first, !host.isEmpty, host.allSatisfy(isPlain), path.allSatisfy(isOfPathOrQuery) else {
      return nil
    }
    self.host = String(decoding: host.map(\.asciiLowercased), as: UTF8.self)
    self.port = port
    self.path = (path.first == UInt8(ascii: "/") ? "" : "/") + String(decoding: path, as: UTF8.self)
  }

  package var description: String { "https://\(host)\(port == 443 ? "" : ":\(port)")\(path)" }
}

/// Letters, digits, `-`, `.`, `_`.  RFC 3986 §2.3.
private func isPlain(_ byte: UInt8) -> Bool {
  byte.isIn([.alpha, .digit]) || byte == 0x2D || byte == 0x2E || byte == 0x5F
}

/// RFC 3986 §3.3, §3.4: `pchar`, `/` and `?`. Whether what follows a percent sign is a number is the server's affair.
private func isOfPathOrQuery(_ byte: UInt8) -> Bool { isPlain(byte) || "~!$&'()*+,;=:@%/?".utf8.contains(byte) }
