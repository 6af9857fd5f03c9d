import COpenSSL

/// What a finished TLS handshake settled.
package struct TLSInfo: Sendable {
  /// `TLSv1.2`, `TLSv1.3`.
  package var version: String
  /// OpenSSL's name of the cipher suite.
  package var cipher: String
  /// The server name the client asked for, lower-case, without a trailing dot.
  package var serverName: String?
  package var applicationProtocol: String?
  /// The keys come from an earlier session's ticket.
  package var isResumed: Bool
  /// The peer's certificate in DER, where it presented one. It may be unknown to every authority.
  package var peerCertificate: [UInt8]?
  /// True if the peer's certificate chains to the configured client authorities.
  package var peerCertificateIsTrusted: Bool
  /// On the client's side: how it was made sure who the server is.
  package var peerAuthentication: PeerAuthentication
  /// On the client's side: what is wrong with the server's certificate, where that is only reported.
  package var certificateProblem: CertificateProblem?
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
    isResumed = false
    peerCertificateIsTrusted = false
    peerAuthentication = .nobody
    peerEmailAddresses = []
  }

  init(of ssl: OpaquePointer, isServer: Bool) {
    self.init(
      version: String(cString: SSL_get_version(ssl)),
      cipher: String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))))
    serverName = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { normalisedServerName(String(cString: $0)) }
    applicationProtocol = selectedApplicationProtocol(ssl)
    isResumed = SSL_session_reused(ssl) == 1
    exporterBinding = exporter(ssl)
    uniqueBinding = finishedMessage(ssl, isServer: isServer, isResumed: isResumed)

    if !isServer {
      peerAuthentication = PeerAuthentication(of: ssl)
      certificateProblem = Cryptography.certificateProblem(of: ssl)
    }
    let peer = SSL_get1_peer_certificate(ssl)
    defer { X509_free(peer) }
    if let peer {
      peerCertificate = derEncoding(peer)
      peerCertificateIsTrusted = SSL_get_verify_result(ssl) == Int(X509_V_OK)
      peerEmailAddresses = emailAddresses(peer)
    }
    endPointBinding = (isServer ? SSL_get_certificate(ssl) : peer).flatMap(endPointDigest)
  }
}

/// What is wrong with the peer's certificate; nil as well where nothing was demanded of it.
func certificateProblem(of ssl: OpaquePointer) -> CertificateProblem? {
  guard SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER != 0 else { return nil }
  return CertificateProblem(verifyResult: SSL_get_verify_result(ssl))
}

/// Lower-case and without the trailing dot that some clients send.
func normalisedServerName(_ name: String) -> String {
  let name = name.lowercased()
  return name.hasSuffix(".") ? String(name.dropLast()) : name
}

private func selectedApplicationProtocol(_ ssl: OpaquePointer) -> String? {
  var name: UnsafePointer<UInt8>?
  var count: UInt32 = 0
  SSL_get0_alpn_selected(ssl, &name, &count)
  guard let name, count > 0 else { return nil }
  return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
}

/// RFC 9266 §2. With TLS 1.2 it is unique only with the extended master secret (§4.2).
private func exporter(_ ssl: OpaquePointer) -> [UInt8]? {
  guard SSL_version(ssl) >= TLS1_3_VERSION || shim_ssl_extms(ssl) == 1 else { return nil }
  let label: StaticString = "EXPORTER-Channel-Binding"
  var bytes = [UInt8](repeating: 0, count: 32)
  let result = label.withUTF8Buffer { label in
    label.withMemoryRebound(to: CChar.self) { label in
      SSL_export_keying_material(ssl, &bytes, 32, label.baseAddress, label.count, [], 0, 1)
    }
  }
  return result == 1 ? bytes : nil
}

/// The first Finished message of the handshake: the client's, or the server's if the session is resumed.  RFC 5929 §3.1.
private func finishedMessage(_ ssl: OpaquePointer, isServer: Bool, isResumed: Bool) -> [UInt8]? {
  guard SSL_version(ssl) == TLS1_2_VERSION else { return nil }
  var bytes = [UInt8](repeating: 0, count: 64)
  let isOurs = isServer == isResumed
  let count = isOurs ? SSL_get_finished(ssl, &bytes, 64) : SSL_get_peer_finished(ssl, &bytes, 64)
  return count > 0 && count <= 64 ? Array(bytes[..<count]) : nil
}

/// The certificate's digest by the hash of its own signature, with SHA-256 in place of MD5 and SHA-1.  RFC 5929 §4.1.
private func endPointDigest(_ certificate: OpaquePointer) -> [UInt8]? {
  var hash: Int32 = 0
  guard X509_get_signature_info(certificate, &hash, nil, nil, nil) == 1 else { return nil }
  let algorithm = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbyname(OBJ_nid2sn(hash))
  guard let algorithm else { return nil }
  var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
  var count: UInt32 = 0
  guard X509_digest(certificate, algorithm, &bytes, &count) == 1 else { return nil }
  return Array(bytes[..<Int(count)])
}

func derEncoding(_ certificate: OpaquePointer) -> [UInt8]? {
  var start: UnsafeMutablePointer<UInt8>?
  let count = i2d_X509(certificate, &start)
  guard count > 0, let start else { return nil }
  defer { CRYPTO_free(start, nil, 0) }
  return Array(UnsafeBufferPointer(start: start, count: Int(count)))
}

private func emailAddresses(_ certificate: OpaquePointer) -> [String] {
  guard let emails = shim_x509_emails(certificate) else { return [] }
  defer { shim_emails_free(emails) }
  return (0..<shim_email_count(emails)).compactMap { shim_email(emails, $0).map { String(cString: $0) } }
}
