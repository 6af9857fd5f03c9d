package import Cryptography
package import Logging

/// Where and how to accept connections.
package struct ListenerConfiguration: Sendable {
  package enum Endpoint: Hashable, Sendable {
    /// Port 0 picks a free one. A host of `*` is both families.
    case internet(host: String, port: UInt16)
    case local(path: String)
    /// A listening socket handed over by the service manager.
    case descriptor(Int32)
  }
  package enum Security: Sendable {
    /// Plaintext at first; STARTTLS is the session's business.
    case plaintext
    case implicitTLS(TLSServerContext)
  }

  package var endpoint: Endpoint
  package var security: Security
  /// Peers that must begin with a PROXY header (v1 or v2). Any other peer that sends one is just wrong.
  package var proxies: [IPNetwork]
  package var maximumConnections: Int
  package var maximumConnectionsPerAddress: Int
  /// Written to a connection over a limit before it is closed, such as `421 …` or `* BYE …`.
  package var refusal: [UInt8]
  package var handshakeTimeout: Duration

  package init(endpoint: Endpoint, security: Security) {
    self.endpoint = endpoint
    self.security = security
    proxies = []
    maximumConnections = 15_000
    maximumConnectionsPerAddress = 1_000
    refusal = []
    handshakeTimeout = .seconds(30)
  }
}

/// A bound socket whose connections are each given to one task.
package final class Listener: Sendable {
  /// The port that was bound; 0 for local sockets.
  package var port: UInt16 { fatalError("skeleton") }
  /// Connections that are open now.
  package var connectionCount: Int { fatalError("skeleton") }

  /// Binds and begins to accept. `session` runs in a task of its own for each connection; the connection is closed when
  /// it returns.
  package static func start(
    _ configuration: ListenerConfiguration, logger: Logger,
    session: @escaping @Sendable (Connection) async -> Void
  ) async throws -> Listener { fatalError("skeleton") }

  /// Closes the listening socket. Sessions go on.
  package func stopAccepting() async { fatalError("skeleton") }
  /// Waits until all sessions have ended, or closes the rest after `limit`.
  package func drain(within limit: Duration) async { fatalError("skeleton") }
}
