import DNS
import Networking
package import SMTPClient

/// A way that mail leaves, as an operator names it.
package struct Transport: Sendable {
  package enum Way: Sendable {
    /// To the hosts that the recipient's domain names in DNS.
    case exchangers
    /// To one server, whatever the domain.
    case server(MailServerPlace)
    /// Not at all, with these words to the sender.
    case refusal(String)
  }

  package var way: Way
  /// What a host must have at least, whatever its domain asks for.
  package var tls: TLSMinimum

  package init(_ way: Way, tls: TLSMinimum = .opportunistic) {
    self.way = way
    self.tls = tls
  }

  /// Whether the recipient's domain makes no difference.
  var isFixed: Bool {
    switch way {
    case .exchangers: false
    case .server, .refusal: true
    }
  }
}

/// A server that an operator names, and who we are to it.
package struct MailServerPlace: Sendable {
  package enum Place: Hashable, Sendable {
    /// A name, or an address as text.
    case host(String, port: UInt16)
    /// A socket of this machine.
    case socket(path: String)
  }

  package var place: Place
  package var dialect: ClientSettings.Dialect
  /// TLS from the first octet; otherwise by STARTTLS.
  package var isImplicitTLS: Bool
  package var credentials: Credentials?

  package init(
    _ place: Place, dialect: ClientSettings.Dialect, isImplicitTLS: Bool = false, credentials: Credentials? = nil
  ) {
    self.place = place
    self.dialect = dialect
    self.isImplicitTLS = isImplicitTLS
    self.credentials = credentials
  }
}
