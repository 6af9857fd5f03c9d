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

  /// The first certificate answers clients that send no server name or an unknown one.
  package init(certificates: [Certificate]) throws { fatalError("skeleton") }
  package func reload(certificates: [Certificate]) throws { fatalError("skeleton") }
}
