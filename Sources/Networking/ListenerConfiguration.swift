package import Cryptography

/// Where and how to accept connections.
package struct ListenerConfiguration: Sendable {
  package enum Endpoint: Hashable, Sendable {
    /// Port 0 picks a free one. A host of `*` is both families.
    case internet(host: String, port: UInt16)
    /// A unix socket; one that a crash has left behind is replaced.
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
  /// ALPN names served under implicit TLS, such as `imap` and `pop3` (RFC 8314 has none for SMTP). Empty: ALPN is ignored.
  package var applicationProtocols: [String]
  /// Peers that must begin with a PROXY header (v1 or v2). Any other peer that sends one is just wrong.
  package var proxies: [IPNetwork]
  package var maximumConnections: Int
  package var maximumConnectionsPerAddress: Int
  /// Written to a connection over a limit before it is closed, such as `421 …` or `* BYE …`.
  package var refusal: [UInt8]
  /// For a PROXY header and an implicit TLS handshake.
  package var handshakeTimeout: Duration
  /// Permissions of a unix socket.
  package var localSocketMode: UInt16

  package init(endpoint: Endpoint, security: Security) {
    self.endpoint = endpoint
    self.security = security
    applicationProtocols = []
    proxies = []
    maximumConnections = 15_000
    maximumConnectionsPerAddress = 1_000
    refusal = []
    handshakeTimeout = .seconds(30)
    localSocketMode = 0o600
  }
}

/// Why a listener could not be started.
package struct ListenError: Error, Sendable, CustomStringConvertible {
  package var endpoint: ListenerConfiguration.Endpoint
  /// What failed, and the system's word for it.
  package var reason: String

  package var description: String {
    switch endpoint {
    case .internet(let host, let port): "cannot listen on \(host) port \(port): \(reason)"
    case .local(let path): "cannot listen on \(path): \(reason)"
    case .descriptor(let descriptor): "cannot listen on descriptor \(descriptor): \(reason)"
    }
  }
}
