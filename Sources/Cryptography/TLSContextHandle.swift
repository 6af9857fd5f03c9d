import COpenSSL

/// Owns an `SSL_CTX`. Once set up it is only read, and OpenSSL counts its references atomically.
final class TLSContextHandle: @unchecked Sendable {
  let pointer: OpaquePointer

  /// With what both sides have in common.
  init(_ method: OpaquePointer?) throws(CertificateError) {
    prepareOpenSSL()
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(method) else { throw .failed(takeOpenSSLErrors()) }
    self.pointer = pointer
    // RFC 8996: nothing older than TLS 1.2. Debian's own configuration may say less.
    guard shim_ssl_ctx_set_protocols(pointer, TLS1_2_VERSION, TLS1_3_VERSION) == 1,
      // Forward secrecy always. The CBC suites at the end are for mail programs of old systems.
      SSL_CTX_set_cipher_list(pointer, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK:!SRP") == 1
    else { throw .failed(takeOpenSSLErrors()) }
    // Records' buffers are freed when they are empty: an idle connection costs 34 KB less.
    shim_ssl_ctx_set_mode(
      pointer, Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
    SSL_CTX_set_options(pointer, SSL_OP_NO_RENEGOTIATION_VALUE | SSL_OP_NO_COMPRESSION_VALUE)
  }

  deinit { SSL_CTX_free(pointer) }

  /// Sets certificate, chain and key, and returns the names they are for.
  func use(_ certificate: TLSServerContext.Certificate) throws(CertificateError) -> [String] {
    let key = try readPrivateKey(certificate.key)
    defer { EVP_PKEY_free(key) }
    var names: [String] = []
    try forEachCertificate(in: certificate.chain) { (certificate, index) throws(CertificateError) in
      guard index == 0 else {
        guard shim_ssl_ctx_add1_chain_cert(pointer, certificate.pointer) == 1 else {
          throw .failed(takeOpenSSLErrors())
        }
        return
      }
      names = certificate.names
      guard X509_check_private_key(certificate.pointer, key) == 1 else { throw .keyDoesNotMatch }
      guard SSL_CTX_use_certificate(pointer, certificate.pointer) == 1, SSL_CTX_use_PrivateKey(pointer, key) == 1 else {
        throw .failed(takeOpenSSLErrors())
      }
    }
    return names
  }

  func applyServerPolicy(_ clients: TLSServerContext.ClientCertificates) throws(CertificateError) {
    SSL_CTX_set_options(pointer, SSL_OP_CIPHER_SERVER_PREFERENCE_VALUE | SSL_OP_PRIORITIZE_CHACHA_VALUE)
    // Sessions are resumed by ticket alone, so the server remembers none. One ticket is enough, and some MTAs stumble
    // over more. Without a session id context OpenSSL fails resumption with a fatal error once client certificates
    // are asked for.
    shim_ssl_ctx_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
    let identifier = Array("martlet".utf8)
    guard SSL_CTX_set_num_tickets(pointer, 1) == 1,
      SSL_CTX_set_session_id_context(pointer, identifier, UInt32(identifier.count)) == 1
    else { throw .failed(takeOpenSSLErrors()) }
    guard case .requested(let trusted) = clients else { return }
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, acceptAnyCertificate)
    for pem in trusted { try trust(pem) }
  }

  /// Adds authorities that certificates may chain to.
  func trust(_ pem: [UInt8]) throws(CertificateError) {
    let store = SSL_CTX_get_cert_store(pointer)
    try forEachCertificate(in: pem) { (certificate, _) throws(CertificateError) in
      guard X509_STORE_add_cert(store, certificate.pointer) == 1 else { throw .failed(takeOpenSSLErrors()) }
    }
  }
}

/// Lets the handshake go on whatever the chain is worth; the verdict stays in `SSL_get_verify_result`.
func acceptAnyCertificate(_: Int32, _: OpaquePointer?) -> Int32 { 1 }

// The option macros are computed in C and unknown to Swift (openssl/ssl.h, SSL_OP_BIT).
private let SSL_OP_NO_COMPRESSION_VALUE: UInt64 = 1 << 17
private let SSL_OP_PRIORITIZE_CHACHA_VALUE: UInt64 = 1 << 21
private let SSL_OP_CIPHER_SERVER_PREFERENCE_VALUE: UInt64 = 1 << 22
private let SSL_OP_NO_RENEGOTIATION_VALUE: UInt64 = 1 << 30
