package import DNS
package import MessageFormat

/// How mail goes to other servers.
package struct OutboundConfiguration: Hashable, Sendable {
  /// False: mail for other servers is refused.
  package var isEnabled = true
  package var smarthost: ServerAddress?
  package var smarthostPassword: String?
  package var transports: [TransportSetting] = []
  /// The first that matches counts.
  package var routes: [RouteSetting] = []
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
