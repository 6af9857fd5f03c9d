import COpenSSL
import Synchronization

/// The client side of TLS: whom to believe.
package final class TLSClientContext: Sendable {
  package enum Verification: Sendable {
    /// Anybody. For opportunistic TLS, which protects from listeners only.
    case none
    /// Certificates that chain to these authorities (PEM) and are for the name that is connected to.
    case authorities([UInt8])
    /// The same with the authorities of the operating system.
    case system
    /// Certificates that match TLSA records; no authority counts.
    case dane(DANEVerification)
  }

  package enum Enforcement: Sendable {
    /// A certificate that is not good enough ends the handshake.
    case required
    /// The handshake goes on, and `TLSInfo.certificateProblem` says what is wrong.  RFC 8461 §5: `testing`.
    case reported
  }

  let context: TLSContextHandle
  private let verification: Verification
  private let lastProblem = Mutex<CertificateProblem?>(nil)

  /// - Parameter certificate: presented to a server that asks for one.
  package init(
    verification: Verification, enforcement: Enforcement = .required,
    certificate: TLSServerContext.Certificate? = nil, versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
  ) throws(CertificateError) {
    self.verification = verification
    context = try TLSContextHandle(TLS_client_method())
    guard
      shim_ssl_ctx_set_protocols(context.pointer, versions.lowerBound.openSSL, versions.upperBound.openSSL) == 1
    else { throw .failed(takeOpenSSLErrors()) }
    shim_ssl_ctx_set_session_cache_mode(context.pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    var mode = SSL_VERIFY_PEER
    switch verification {
    case .none: mode = SSL_VERIFY_NONE
    case .authorities(let pem): try context.trust(pem)
    case .system:
      guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else { throw .failed(takeOpenSSLErrors()) }
    case .dane:
      guard SSL_CTX_dane_enable(context.pointer) > 0 else { throw .failed(takeOpenSSLErrors()) }
    }
    SSL_CTX_set_verify(context.pointer, mode, enforcement == .required ? nil : acceptAnyCertificate)
    if let certificate { _ = try context.use(certificate) }
  }

  /// What was wrong with the certificate in the last handshake made with this context, if that is why it failed. A
  /// context that many connections share tells of one of them.
  package var certificateProblem: CertificateProblem? { lastProblem.withLock { $0 } }

  func handshakeEnded(_ problem: CertificateProblem?) { lastProblem.withLock { $0 = problem } }

  /// Sends the name as SNI and demands it of the certificate.
  func expect(_ name: String, of ssl: OpaquePointer) {
    if case .dane(let dane) = verification { return dane.demand(of: ssl, name: name) }
    let parameters = SSL_get0_param(ssl)
    // An IP address is recognised by this call failing for anything else.
    if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
    ERR_clear_error()
    _ = shim_ssl_set_server_name(ssl, name)
    if case .none = verification { return }
    // RFC 8461 §4.1 and RFC 6125 §6.4.3: a wildcard is a whole label.
    SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    _ = SSL_set1_host(ssl, name)
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
