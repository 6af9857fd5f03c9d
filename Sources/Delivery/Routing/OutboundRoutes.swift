import Cryptography
package import MessageFormat

/// By which transport mail leaves: the first route that matches recipient and sender, else by MX records.
package struct OutboundRoutes: Sendable {
  /// One rule. Both lists must match; an empty one matches everybody.
  package struct Route: Sendable {
    package var recipients: [DomainPattern]
    /// Mail without a sender (reports) matches none of these.
    package var senders: [DomainPattern]
    package var transport: String
    /// Raises what the transport demands itself.
    package var tls: TLSMinimum?

    package init(
      to recipients: [DomainPattern] = [], from senders: [DomainPattern] = [], transport: String, tls: TLSMinimum? = nil
    ) {
      self.recipients = recipients
      self.senders = senders
      self.transport = transport
      self.tls = tls
    }
  }

  /// The transport that everything takes that no route speaks of, and that routes may name too.
  package static let direct = "direct"

  private let routes: [Route]
  /// By name; of what a route demands beyond its transport's own, under a name of its own.
  private let transports: [String: Transport]

  /// - Parameters:
  ///   - transports: by name: ASCII letters, digits, `-` and `_`.
  ///   - routes: name transports of these, or `direct`.
  package init(transports: [String: Transport] = [:], routes: [Route] = []) {
    var known = transports
    known[Self.direct] = Transport(.exchangers)
    for route in routes {
      guard let tls = route.tls, var transport = known[route.transport] else { continue }
      transport.tls = max(transport.tls, tls)
      known[Self.name(of: route)] = transport
    }
    self.routes = routes
    self.transports = known
  }

  /// `+` is in no name, so this is nobody's own.
  private static func name(of route: Route) -> String { route.transport + (route.tls.map { "+\($0.rawValue)" } ?? "") }

  /// Another number for other routes, as far as they say where something goes.
  var mark: Int64 {
    // The first line is of how a destination is written, and which transports have one for all.
    var text = "1\n"
    for (name, transport) in transports.sorted(by: { $0.key < $1.key }) { text += "\(name) \(transport.isFixed)\n" }
    for route in routes { text += "\(route.recipients) \(route.senders) \(Self.name(of: route))\n" }
    return shortDigest(text)
  }

  func transport(named name: String) -> Transport? { transports[name] }

  /// - Parameters:
  ///   - sender: nil for the null reverse-path.
  ///   - assurance: what a route demands holds besides.
  package func destination(
    of recipient: EmailAddress, from sender: EmailAddress?, assurance: QueueDestination.Assurance = .policy
  ) -> QueueDestination {
    let route = routes.first { route in
      (route.recipients.isEmpty || route.recipients.contains { $0.matches(recipient.domain) })
        && (route.senders.isEmpty
          || sender.map { sender in route.senders.contains { $0.matches(sender.domain) } } ?? false)
    }
    let name = route.map(Self.name) ?? Self.direct
    let isFixed = transports[name]?.isFixed ?? false
    return QueueDestination(
      domain: isFixed ? nil : recipient.domain.text, transport: name, assurance: isFixed ? .policy : assurance)
  }
}

/// Domains that a route is for.
package enum DomainPattern: Hashable, Sendable, CustomStringConvertible {
  case any
  case exactly(Domain)
  /// The names below it, and not the domain itself.
  case below(Domain)

  /// `*`, `example.org`, `.example.org`. Nil for what is none of these.
  package init?(_ text: String) {
    if text == "*" {
      self = .any
    } else if let domain = Domain(text.hasPrefix(".") ? String(text.dropFirst()) : text) {
      self = text.hasPrefix(".") ? .below(domain) : .exactly(domain)
    } else {
      return nil
    }
  }

  package func matches(_ domain: Domain) -> Bool {
    switch self {
    case .any: true
    case .exactly(let wanted): domain.written == wanted.written
    case .below(let parent): domain.written.hasSuffix(".\(parent.written)")
    }
  }

  package var description: String {
    switch self {
    case .any: "*"
    case .exactly(let domain): domain.text
    case .below(let domain): ".\(domain)"
    }
  }
}

extension Domain {
  /// One form for what can be written in two, with U-labels and with A-labels.
  fileprivate var written: String { asciiText ?? text }
}
