package import DNS
package import MessageFormat

/// How mail goes to other servers.
package struct OutboundConfiguration: Hashable, Sendable {
  /// False: mail for other servers is refused.
  package var isEnabled = true
  package var smarthost: SmarthostAddress?
  package var smarthostPassword: String?
  package var resolver = ResolverSettings.Upstream.system
  /// The root's keys, or those of whatever zone is trusted. Nil: nothing in DNS is taken for signed.
  package var trustAnchors: String? = "/usr/share/dns/root.key"
  /// Our name in EHLO; nil: the server's.
  package var name: String?
  /// Addresses of this machine to come from.
  package var sources: [String] = []
  package var port = 25
  package var policyPort = 443
  /// PEM file of the authorities that count in place of the system's.
  package var authorities: String?
  /// Other domains are told how TLS with their servers went.
  package var sendsTLSReports = true
  /// Whom to ask about reports; nil: the postmaster.
  package var reportContact: EmailAddress?
  /// Whose reports they are; nil: the contact's domain.
  package var reportOrganization: String?
  package var givesUpAfter: Duration = .seconds(5 * 86_400)
  package var warnsAfter: Duration = .seconds(4 * 3_600)
  package var firstRetry: Duration = .seconds(150)
  /// How long a message may be held back by its sender.  RFC 4865.
  package var longestHold: Duration = .seconds(30 * 86_400)
}

/// `smtps://user@mail.example.net:465`, `smtp://user@mail.example.net:587`.
package struct SmarthostAddress: Hashable, Sendable, CustomStringConvertible {
  package var isImplicitTLS: Bool
  package var user: String?
  package var host: DomainName
  package var port: UInt16

  package init?(_ text: String) {
    let scheme: String
    if text.hasPrefix("smtps://") {
      (scheme, isImplicitTLS) = ("smtps://", true)
    } else if text.hasPrefix("smtp://") {
      (scheme, isImplicitTLS) = ("smtp://", false)
    } else {
      return nil
    }
    var rest = text.dropFirst(scheme.count)
    if let at = rest.lastIndex(of: "@") {
      user = String(rest[..<at])
      rest = rest[rest.index(after: at)...]
    }
    var port: UInt16 = isImplicitTLS ? 465 : 587
    if let colon = rest.lastIndex(of: ":") {
      guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else { return nil }
      port = number
      rest = rest[..<colon]
    }
    guard let host = DomainName(String(rest)), !host.isRoot, user?.isEmpty != true else { return nil }
    self.host = host
    self.port = port
  }

  package var description: String {
    "\(isImplicitTLS ? "smtps" : "smtp")://\(user.map { "\($0)@" } ?? "")\(host):\(port)"
  }
}
