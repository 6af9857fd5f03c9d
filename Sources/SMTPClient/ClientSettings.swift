package import Cryptography
package import Networking

/// What a session is given. One host's; the destination decides.
package struct ClientSettings: Sendable {
  package enum Dialect: Sendable {
    case smtp
    /// RFC 2033: LHLO, and a reply for each recipient after the message.
    case lmtp
  }

  /// Our name in EHLO: a domain with an address, or an address literal.  RFC 5321 §4.1.1.1.
  package var name: String
  package var dialect = Dialect.smtp
  package var tls: TLSPolicy
  package var credentials: Credentials?
  /// BDAT where the server offers it.
  package var usesChunking = true
  package var limits = ClientLimits()
  package var clock = SteadyClock.system
  /// Is told of what goes over each connection, decrypted, for looking for a fault; whoever it is hides the secrets.
  package var trace: (@Sendable (_ connectionID: String, TraceDirection, [UInt8]) -> Void)?

  package init(name: String, tls: TLSPolicy) {
    self.name = name
    self.tls = tls
  }
}

/// Where to connect to.
package struct HostAddress: Hashable, Sendable, CustomStringConvertible {
  package enum Place: Hashable, Sendable {
    /// - Parameter source: one of this machine's addresses to come from.
    case internet(IPAddress, port: UInt16, source: IPAddress?)
    case socket(path: String)
  }

  /// The name by which the host was found, for logs and reports.
  package var name: String
  package var place: Place

  package init(name: String, address: IPAddress, port: UInt16 = 25, source: IPAddress? = nil) {
    self.name = name
    place = .internet(address, port: port, source: source)
  }

  package init(socket path: String) {
    name = "localhost"
    place = .socket(path: path)
  }

  /// As log lines have it: `mx.example.com[192.0.2.1]:25`, `localhost[/run/dovecot/lmtp]`.
  package var description: String {
    switch place {
    case .internet(let address, let port, _): "\(name)[\(address)]:\(port)"
    case .socket(let path): "\(name)[\(path)]"
    }
  }
}

/// What TLS this host is owed.
package enum TLSPolicy: Sendable {
  /// Plaintext, even where STARTTLS is offered.
  case never
  /// STARTTLS where it is offered and works, else plaintext.  RFC 7435.
  case opportunistic(ClientTLS)
  /// STARTTLS with whatever the context demands, or nothing is sent: DANE, MTA-STS, a smarthost.
  case required(ClientTLS)
  /// TLS from the first octet, with whatever the context demands.  RFC 8314 §3.3.
  case fromTheStart(ClientTLS)

  package var isOpportunistic: Bool {
    if case .opportunistic = self { true } else { false }
  }
}

package struct ClientTLS: Sendable {
  package var context: TLSClientContext
  /// Sent as SNI, and demanded of the certificate where the context verifies.
  package var serverName: String
  /// That the mail is for this name and no other is said by somebody who may say so: an operator, signed DNS, or the
  /// domain's policy. If not, the best certificate is of a host that anybody may have named.
  package var isNameSure: Bool

  package init(context: TLSClientContext, serverName: String, isNameSure: Bool = true) {
    self.context = context
    self.serverName = serverName
    self.isNameSure = isNameSure
  }
}

/// Who we are to a server that wants to know.
package struct Credentials: Sendable {
  package var user: String
  package var password: String

  package init(user: String, password: String) {
    self.user = user
    self.password = password
  }
}
