import COpenSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What is wrong with a certificate or key that was configured, in words for whoever configured it.
package enum CertificateError: Error, Sendable, Equatable, CustomStringConvertible {
  case none
  case badCertificate(String)
  case badKey(String)
  /// The private key is protected by a passphrase, and nobody is there to type it.
  case encryptedKey
  case keyDoesNotMatch
  case failed(String)

  package var description: String {
    switch self {
    case .none: "there is no certificate"
    case .badCertificate(let reason): "the certificate file holds no readable PEM certificate (\(reason))"
    case .badKey(let reason): "the key file holds no readable PEM private key (\(reason))"
    case .encryptedKey: "the private key is protected by a passphrase; store it without one"
    case .keyDoesNotMatch: "the private key does not belong to the certificate"
    case .failed(let reason): "the certificate could not be used: \(reason)"
    }
  }
}

/// A certificate that this process owns a reference to.
struct OwnedCertificate: ~Copyable {
  let pointer: OpaquePointer
  init(owning pointer: OpaquePointer) { self.pointer = pointer }
  deinit { X509_free(pointer) }

  /// Names and addresses it is for, lower-case; its common name where it has no alternative names, as ancient ones do.
  var names: [String] {
    var names: [String] = []
    if let alternatives = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) {
      let alternatives = OpaquePointer(alternatives)
      names = dnsNames(alternatives)
      GENERAL_NAMES_free(alternatives)
    }
    return names.isEmpty ? commonName.map { [normalisedServerName($0)] } ?? [] : names
  }

  private var commonName: String? {
    guard let subject = X509_get_subject_name(pointer) else { return nil }
    var buffer = [CChar](repeating: 0, count: 256)
    guard X509_NAME_get_text_by_NID(subject, NID_commonName, &buffer, 256) > 0 else { return nil }
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// The end of its validity in seconds since 1970.
  var notAfter: Int64? {
    var parts = tm()
    guard ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &parts) == 1 else { return nil }
    return Int64(timegm(&parts))
  }
}

private func dnsNames(_ names: OpaquePointer) -> [String] {
  (0..<shim_general_names_count(names)).compactMap { index in
    guard let name = shim_dns_name(names, index), let text = ASN1_STRING_get0_data(name) else { return nil }
    let bytes = UnsafeBufferPointer(start: text, count: Int(ASN1_STRING_length(name)))
    // A NUL inside a name is how a certificate lies about it.
    return bytes.contains(0) ? nil : normalisedServerName(String(decoding: bytes, as: UTF8.self))
  }
}

/// Calls `body` with each certificate in a PEM text, in order.
func forEachCertificate(
  in pem: [UInt8], _ body: (consuming OwnedCertificate, _ index: Int) throws(CertificateError) -> Void
) throws(CertificateError) {
  prepareOpenSSL()
  ERR_clear_error()
  guard let bio = shim_bio_for_reading(pem, Int32(clamping: pem.count)) else { throw .failed(takeOpenSSLErrors()) }
  defer { BIO_free(bio) }
  var index = 0
  while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) {
    try body(OwnedCertificate(owning: certificate), index)
    index += 1
  }
  // The end of the text is reported as an error too.
  if index == 0 { throw .badCertificate(takeOpenSSLErrors()) }
  ERR_clear_error()
}

/// Reads a PEM private key; the caller frees it with `EVP_PKEY_free`.
func readPrivateKey(_ pem: [UInt8]) throws(CertificateError) -> OpaquePointer {
  prepareOpenSSL()
  ERR_clear_error()
  guard let bio = shim_bio_for_reading(pem, Int32(clamping: pem.count)) else { throw .failed(takeOpenSSLErrors()) }
  defer { BIO_free(bio) }
  guard let key = PEM_read_bio_PrivateKey(bio, nil, refusePassphrase, nil) else {
    let code = ERR_peek_last_error()
    let isEncrypted = shim_err_lib(code) == ERR_LIB_PEM && shim_err_reason(code) == PEM_R_BAD_PASSWORD_READ
    let reason = takeOpenSSLErrors()
    throw isEncrypted ? .encryptedKey : .badKey(reason)
  }
  return key
}

/// Without it OpenSSL would ask at the terminal and hang a service.
private func refusePassphrase(
  _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }

/// When a certificate ends, in seconds since 1970: the first of a chain.
package func certificateExpiry(pem: [UInt8]) throws(CertificateError) -> Int64 {
  var expiry: Int64?
  try forEachCertificate(in: pem) { (certificate, index) throws(CertificateError) in
    if index == 0 { expiry = certificate.notAfter }
  }
  guard let expiry else { throw .badCertificate("it has no readable end of validity") }
  return expiry
}

/// The names the first certificate of a chain is for, lower-case.
package func certificateNames(pem: [UInt8]) throws(CertificateError) -> [String] {
  var names: [String] = []
  try forEachCertificate(in: pem) { (certificate, index) throws(CertificateError) in
    if index == 0 { names = certificate.names }
  }
  return names
}

/// The SHA-256 of the first certificate's public key as a SubjectPublicKeyInfo: the data of a TLSA record that begins
/// with `3 1 1`.  RFC 6698 §2.1.
package func publicKeyDigest(pem: [UInt8]) throws(CertificateError) -> [UInt8] {
  var info: [UInt8] = []
  try forEachCertificate(in: pem) { (certificate, index) throws(CertificateError) in
    guard index == 0 else { return }
    // As it stands in the certificate: encoding the key anew might write it otherwise.
    let key = X509_get_X509_PUBKEY(certificate.pointer)
    let count = Int(i2d_X509_PUBKEY(key, nil))
    guard count > 0 else { throw .badCertificate(takeOpenSSLErrors()) }
    info = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      var position = buffer.baseAddress
      filled = max(Int(i2d_X509_PUBKEY(key, &position)), 0)
    }
  }
  return digest(info, .sha256)
}

/// Checks that a chain and a key can be read and belong together.
package func checkCertificate(chain: [UInt8], key: [UInt8]) throws(CertificateError) {
  let key = try readPrivateKey(key)
  defer { EVP_PKEY_free(key) }
  try forEachCertificate(in: chain) { (certificate, index) throws(CertificateError) in
    if index == 0, X509_check_private_key(certificate.pointer, key) != 1 { throw .keyDoesNotMatch }
  }
}
