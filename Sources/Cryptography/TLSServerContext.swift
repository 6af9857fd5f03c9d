import Synchronization

/// The server side of TLS: certificates by server name and policy. It is shared by all listeners; `reload` swaps its
/// certificates under live traffic and sessions that are under way keep theirs.
package final class TLSServerContext: Sendable {
  package struct Certificate: Sendable {
    /// PEM: the certificate and its chain.
    package var chain: [UInt8]
    /// PEM: the private key.
    package var key: [UInt8]
    package init(chain: [UInt8], key: [UInt8]) {
      self.chain = chain
      self.key = key
    }
  }

  /// Whether clients are asked for a certificate. None is ever required, and one that no authority here knows is taken
  /// too: some mail apps present whatever they have, and what it is worth is for SASL EXTERNAL to decide.
  package enum ClientCertificates: Sendable {
    case notRequested
    /// PEM texts of the authorities whose certificates count as trusted.
    case requested(trusted: [[UInt8]])
  }

  private let clientCertificates: ClientCertificates
  private let configuration: Mutex<TLSServerConfiguration>

  /// The first certificate answers clients that send no server name or an unknown one.
  package init(certificates: [Certificate], clientCertificates: ClientCertificates = .notRequested)
    throws(CertificateError)
  {
    self.clientCertificates = clientCertificates
    configuration = Mutex(try TLSServerConfiguration(certificates, clientCertificates))
  }

  /// Takes new certificates for handshakes from now on. If it throws, the old ones stay in use.
  package func reload(certificates: [Certificate]) throws(CertificateError) {
    let new = try TLSServerConfiguration(certificates, clientCertificates)
    configuration.withLock { $0 = new }
  }

  var current: TLSServerConfiguration { configuration.withLock { $0 } }
}
