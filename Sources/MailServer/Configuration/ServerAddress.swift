package import DNS
import Networking

/// A server that takes mail from us, as a URL: `smtps://user@mail.example.net:465`, `smtp://user@mail.example.net:587`,
/// `lmtp://192.0.2.1:24`, `lmtp:///run/dovecot/lmtp`.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
  package enum Scheme: String, CaseIterable, Hashable, Sendable {
    /// TLS from the first octet.
    case smtps
    /// STARTTLS.
    case smtp
    /// RFC 2033; STARTTLS where it is offered.
    case lmtp

    var port: UInt16 {
      switch self {
      case .smtps: 465
      case .smtp: 587
      case .lmtp: 24
      }
    }
  }

  package enum Place: Hashable, Sendable {
    /// A name, or an address as text.
    case host(String, port: UInt16)
    case socket(path: String)
  }

  package var scheme: Scheme
  package var user: String?
  package var place: Place

  package init?(_ text: String) {
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let scheme = Scheme(rawValue: String(parts[0])) else { return nil }
    self.scheme = scheme
    var rest = parts[1]
    if scheme == .lmtp, rest.hasPrefix("/") {
      // The longest that a socket may have (sun_path).
      guard (2...107).contains(rest.utf8.count) else { return nil }
      place = .socket(path: String(rest))
      return
    }
    if let at = rest.lastIndex(of: "@") {
      user = String(rest[..<at])
      rest = rest[rest.index(after: at)...]
    }
    var port = scheme.port
    let end = rest.hasPrefix("[") ? rest.firstIndex(of: "]") ?? rest.startIndex : rest.startIndex
    if let colon = rest[end...].lastIndex(of: ":") {
      guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else { return nil }
      port = number
      rest = rest[..<colon]
    }
    guard user?.isEmpty != true, let host = Self.host(rest) else { return nil }
    place = .host(host, port: port)
  }

  private static func host(_ text: Substring) -> String? {
    if text.hasPrefix("["), text.hasSuffix("]") {
      let address = IPAddress(String(text.dropFirst().dropLast()))
      return address.flatMap { $0.isIPv6 ? $0.description : nil }
    }
    return DomainName(String(text)).flatMap { $0.isRoot ? nil : $0.text }
  }

  /// Of a server that is named and not an address.
  package var hostName: DomainName? {
    guard case .host(let host, _) = place else { return nil }
    return DomainName(host)
  }

  package var description: String {
    switch place {
    case .host(let host, let port):
      "\(scheme.rawValue)://\(user.map { "\($0)@" } ?? "")\(host.contains(":") ? "[\(host)]" : host):\(port)"
    case .socket(let path): "\(scheme.rawValue)://\(path)"
    }
  }
}
