/// What deliveries are grouped by: a domain, or whatever one server takes; by which transport; and what the TLS has to be.
/// Those of one destination go over the same sessions, so a session never carries a message that asks for more than it has,
/// have one transaction for all their recipients of a message, and wait together.
package struct QueueDestination: Hashable, Sendable {
  package enum Assurance: Hashable, Sendable {
    /// What the domain's policies ask for, or nothing is sent.
    case policy
    /// The best there is, whatever the policies say: for reports that TLS does not work.  RFC 8460 §5.3.1.
    case any
  }

  /// In lower case, or an address literal; nil where the transport leads to the same server for all.
  package var domain: String?
  /// By its name in ``OutboundRoutes``.
  package var transport: String
  package var assurance: Assurance

  package init(domain: String?, transport: String = OutboundRoutes.direct, assurance: Assurance = .policy) {
    self.domain = domain
    self.transport = transport
    self.assurance = assurance
  }

  /// No domain has a semicolon, and none a slash.
  private static let mark = ";tls=any"

  /// As the queue keeps it: `example.org`, `example.org/strict`, `/hub`, `example.org;tls=any`.
  package init(text: String) {
    let isMarked = text.hasSuffix(Self.mark)
    let way = isMarked ? text.dropLast(Self.mark.count) : text[...]
    let assurance = isMarked ? Assurance.any : .policy
    guard let slash = way.firstIndex(of: "/") else {
      self.init(domain: String(way), assurance: assurance)
      return
    }
    self.init(
      domain: slash == way.startIndex ? nil : String(way[..<slash]),
      transport: String(way[way.index(after: slash)...]), assurance: assurance)
  }

  package var text: String {
    let name = domain ?? ""
    let way = transport == OutboundRoutes.direct && domain != nil ? name : "\(name)/\(transport)"
    return assurance == .any ? way + Self.mark : way
  }
}
