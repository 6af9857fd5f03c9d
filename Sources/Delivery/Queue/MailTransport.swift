package import SMTPClient

/// How mail gets to a destination.
package protocol MailTransport: Sendable {
  /// Where it may be handed over.
  /// - Parameter destination: as the store keeps it: a ``QueueDestination``.
  func way(to destination: String) async -> TransportWay
}

package enum TransportWay: Sendable {
  /// Hosts, in the order in which to try them.
  case hosts(any HostWalk)
  /// Nobody knows at the moment.
  case unknown(DeliveryNote)
  /// It takes no mail, and will not.
  case none(DeliveryNote)
}

/// Goes from host to host of a destination.
package protocol HostWalk: Sendable {
  /// The next one that answers.
  /// - Returns: nil where there are no more. What went wrong on the way is in `lastFailure`.
  mutating func next() async -> OpenSession?
  /// Why the last host could not be had.
  var lastFailure: DeliveryNote? { get }
  /// From the first host again.
  mutating func restart()
  /// The same hosts from the first, without what policies of the destination ask of TLS; nil where none was met.
  func withoutPolicies() -> (any HostWalk)?
}

extension HostWalk {
  package func withoutPolicies() -> (any HostWalk)? { nil }
}

/// A session that is ready for a message.
package struct OpenSession: Sendable {
  package var session: ClientSession
  /// For logs and reports: `mx.example.com[192.0.2.1]:25`.
  package var host: String
  package init(session: ClientSession, host: String) {
    self.session = session
    self.host = host
  }
}
