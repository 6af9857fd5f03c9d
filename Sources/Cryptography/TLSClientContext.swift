import COpenSSL

/// The client side of TLS: whom to believe.
package final class TLSClientContext: Sendable {
  package enum Verification: Sendable {
    /// Anybody. For opportunistic TLS, which protects from listeners only.
    case none
    /// Certificates that chain to these authorities (PEM) and are for the name that is connected to.
    case authorities([UInt8])
    /// The same with the authorities of the operating system.
    case system
  }

  let context: TLSContextHandle
  private let verifies: Bool

  /// - Parameter certificate: presented to a server that asks for one.
  package init(
    verification: Verification, certificate: TLSServerContext.Certificate? = nil,
    versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
  ) throws(CertificateError) {
    context = try TLSContextHandle(TLS_client_method())
    guard
      shim_ssl_ctx_set_protocols(context.pointer, versions.lowerBound.openSSL, versions.upperBound.openSSL) == 1
    else { throw .failed(takeOpenSSLErrors()) }
    shim_ssl_ctx_set_session_cache_mode(context.pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    switch verification {
    case .none:
      verifies = false
      SSL_CTX_set_verify(context.pointer, SSL_VERIFY_NONE, nil)
    case .authorities(let pem):
      verifies = true
      try context.trust(pem)
      SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
    case .system:
      verifies = true
      guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else { throw .failed(takeOpenSSLErrors()) }
      SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
    }
    if let certificate { _ = try context.use(certificate) }
  }

  /// Sends the name as SNI and demands it of the certificate.
  func expect(_ name: String, of ssl: OpaquePointer) {
    let parameters = SSL_get0_param(ssl)
    // An IP address is recognised by this call failing for anything else.
    if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
    ERR_clear_error()
    _ = shim_ssl_set_server_name(ssl, name)
    if verifies { _ = SSL_set1_host(ssl, name) }
  }
}

package enum TLSVersion: Int, Comparable, Sendable {
  case tls12, tls13

  package static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }

  var openSSL: Int32 {
    switch self {
    case .tls12: TLS1_2_VERSION
    case .tls13: TLS1_3_VERSION
    }
  }
}
