package import DNS
package import Networking

/// Which hosts take the mail of a domain.  RFC 5321 §5.1.
package enum MailRoute: Hashable, Sendable {
  case hosts(MailHosts)
  /// The domain is an address literal.
  case address(IPAddress)
  /// It takes no mail.  RFC 7505; 556 5.1.10.
  case nullMX
  /// 5.1.2.
  case noSuchDomain
  /// Its MX records are for nobody, or an address literal is of no kind we know.  5.4.4.
  case noHosts
  /// We are the best host for it ourselves, and do not know it.  5.4.6.
  case leadsBack
}

/// The hosts of a domain, in the order in which to try them.
package struct MailHosts: Hashable, Sendable {
  /// Never empty, no name twice.
  package var names: [DomainName]
  /// Of the MX records, or of their absence.
  package var security: Security
  /// There are no MX records: the domain is its own host.
  package var isImplicit: Bool
  /// The domain and, if a secure alias leads on from it, the name that has the records: what a certificate under a trust
  /// anchor of DANE may be for besides the host.  RFC 7672 §3.2.2.
  package var domainNames: [DomainName]
}

/// Where a host is, and whether TLSA records count for it.
package struct HostAddresses: Hashable, Sendable {
  package var host: DomainName
  /// In the order in which to try them; empty if there are none.
  package var addresses: [IPAddress]
  /// Names below which TLSA records are looked for, first one first; none if the addresses are from unsigned zones.
  package var tlsaBases: [DomainName]
}
