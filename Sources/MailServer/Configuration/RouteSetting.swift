package import Delivery

/// Which mail takes which transport. Short form: `example.net=hub`.
package struct RouteSetting: Hashable, Sendable {
  /// Empty: everybody.
  package var recipients: [DomainPattern]
  package var senders: [DomainPattern]
  package var transport: String
  package var tls: TLSMinimum?

  package var text: String {
    let to = recipients.isEmpty ? "*" : recipients.map(\.description).joined(separator: ",")
    let from = senders.isEmpty ? "" : " from \(senders.map(\.description).joined(separator: ","))"
    return "\(to)\(from)=\(transport)\(tls.map { " (tls \($0.rawValue))" } ?? "")"
  }

  var isForEverything: Bool {
    (recipients.isEmpty || recipients.contains(.any)) && (senders.isEmpty || senders.contains(.any))
  }

  var route: OutboundRoutes.Route {
    OutboundRoutes.Route(to: recipients, from: senders, transport: transport, tls: tls)
  }
}

// MARK: Parsing

extension RouteSetting {
  static let fieldNames = ["to", "from", "transport", "tls"]

  init(parsing entry: ListEntry) throws(EntryProblem) {
    switch entry {
    case .text(let text):
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw EntryProblem(expected: "DOMAIN=TRANSPORT, such as example.net=hub, not \(quoted(text))")
      }
      self.init(
        recipients: try Self.patterns([parts[0]], field: nil), senders: [], transport: parts[1])
    case .fields(let fields):
      guard fields["to"] != nil || fields["from"] != nil else {
        throw EntryProblem(expected: "to or from: domains (example.net, .example.net for those below it, * for all)")
      }
      let tls = try fields["tls"]?.first.map { (text) throws(EntryProblem) in try tlsMinimum(text) }
      guard let transport = fields["transport"]?.first ?? (tls == nil ? nil : OutboundRoutes.direct) else {
        throw EntryProblem(expected: "transport: the name of one of outbound.transports, or direct")
      }
      self.init(
        recipients: try Self.patterns(fields["to"] ?? [], field: "to"),
        senders: try Self.patterns(fields["from"] ?? [], field: "from"), transport: transport, tls: tls)
    }
  }

  private static func patterns(_ texts: [String], field: String?) throws(EntryProblem) -> [DomainPattern] {
    try texts.map { (text) throws(EntryProblem) in
      guard let pattern = DomainPattern(text) else {
        throw EntryProblem(field: field, expected: "example.net, .example.net or *, not \(quoted(text))")
      }
      return pattern
    }
  }
}
