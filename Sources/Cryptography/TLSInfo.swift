/// What a finished TLS handshake settled.
package struct TLSInfo: Sendable {
  /// `TLSv1.2`, `TLSv1.3`.
  package var version: String
  /// OpenSSL's name of the cipher suite.
  package var cipher: String
  /// The server name the client asked for, lower-case, without a trailing dot.
  package var serverName: String?
  package var applicationProtocol: String?
  /// The peer's certificate in DER, where it presented one. It may be unknown to every authority.
  package var peerCertificate: [UInt8]?
  /// True if the peer's certificate chains to the configured client authorities.
  package var peerCertificateIsTrusted: Bool
  /// rfc822Name values of the peer certificate.
  package var peerEmailAddresses: [String]
  /// `tls-exporter` channel binding.  RFC 9266.
  package var exporterBinding: [UInt8]?
  /// `tls-server-end-point` channel binding.  RFC 5929 §4.
  package var endPointBinding: [UInt8]?
  /// `tls-unique` for TLS 1.2.  RFC 5929 §3.
  package var uniqueBinding: [UInt8]?

  package init(version: String, cipher: String) {
    self.version = version
    self.cipher = cipher
    peerCertificateIsTrusted = false
    peerEmailAddresses = []
  }
}
