/// Whom a resolver asks, and what it trusts.
package struct ResolverSettings: Sendable {
  package enum Upstream: Hashable, Sendable {
    /// The name servers in `/etc/resolv.conf`.
    case system
    /// These name servers, as addresses with a port if it is not 53: `192.0.2.53`, `127.0.0.1@5300`.
    case forwarders([String])
    /// Nobody in between: the servers of the zones themselves, from the root down.
    case recursion
  }

  /// A zone that a known server answers for, whatever the rest of DNS says of it.
  package struct Stub: Hashable, Sendable {
    package var zone: DomainName
    /// An address, with a port if it is not 53: `127.0.0.1@5300`.
    package var server: String

    package init(zone: DomainName, server: String) {
      self.zone = zone
      self.server = server
    }
  }

  package var upstream: Upstream
  /// The root's keys as DS or DNSKEY records; Debian's `dns-root-data` keeps them. Nil: nothing is secure but below
  /// `trustAnchors`. Name servers that hide signatures from their clients make every answer bogus unless it is nil.
  package var trustAnchorFile: String? = "/usr/share/dns/root.key"
  /// Keys of further zones, as lines of a zone file: `example. IN DS …`.
  package var trustAnchors: [String] = []
  package var stubs: [Stub] = []
  /// How long a question may take. Each name server that is down costs libunbound some seconds.
  package var timeLimit = Duration.seconds(30)
  /// Questions that may be open at once; libunbound itself stops at 512.
  package var mostQuestions = 400

  package init(upstream: Upstream) { self.upstream = upstream }
}

/// What is wrong with the settings, in words for whoever wrote them.
package struct ResolverSetupError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
}
