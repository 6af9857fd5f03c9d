import COpenSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A small certificate authority for a server that is only for trying out: it lives in memory and signs what it is asked
/// to. ECDSA with P-256, because every client has it and a signature takes 30 µs.
package final class CertificateAuthority: @unchecked Sendable {
  /// PEM, for clients to trust.
  package let certificate: [UInt8]

  private let key: OpaquePointer
  private let issuer: OwnedCertificateBox

  private final class OwnedCertificateBox {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }
  }

  /// - Parameters:
  ///   - name: the common name that a client shows.
  ///   - days: how long it and what it signs are valid.
  package init(name: String, days: Int = 825) throws(CertificateError) {
    prepareOpenSSL()
    ERR_clear_error()
    guard let key = shim_new_p256_key() else { throw .failed(takeOpenSSLErrors()) }
    var isDone = false
    defer { if !isDone { EVP_PKEY_free(key) } }
    let certificate = try makeCertificate(
      for: key, name: name, days: days,
      extensions: [
        (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
        (NID_key_usage, "critical,keyCertSign,cRLSign"),
        (NID_subject_key_identifier, "hash"),
      ], issuer: nil, issuerKey: key)
    issuer = OwnedCertificateBox(certificate)
    self.certificate = try pem { PEM_write_bio_X509($0, certificate) }
    self.key = key
    isDone = true
  }

  deinit { EVP_PKEY_free(key) }

  /// Makes a key and a certificate for it.
  /// - Parameters:
  ///   - names: host names (`*.example.test` too) and IP addresses, the first of them its common name.
  ///   - emailAddresses: for a client certificate, the addresses it speaks for.
  package func issue(names: [String], emailAddresses: [String] = [], days: Int = 825) throws(CertificateError)
    -> TLSServerContext.Certificate
  {
    ERR_clear_error()
    guard let leafKey = shim_new_p256_key() else { throw .failed(takeOpenSSLErrors()) }
    defer { EVP_PKEY_free(leafKey) }
    var alternatives: [String] = []
    for name in names {
      // A comma would begin another name in OpenSSL's little language.
      guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2C }) else {
        throw .failed("“\(name)” is no host name")
      }
      alternatives.append((isIPAddress(name) ? "IP:" : "DNS:") + name)
    }
    for address in emailAddresses {
      guard address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2C }) else {
        throw .failed("“\(address)” is no ASCII address")
      }
      alternatives.append("email:" + address)
    }
    let leaf = try makeCertificate(
      for: leafKey, name: names.first ?? emailAddresses.first ?? "", days: days,
      extensions: [
        (NID_basic_constraints, "critical,CA:FALSE"),
        (NID_key_usage, "critical,digitalSignature"),
        (NID_ext_key_usage, "serverAuth,clientAuth"),
        (NID_subject_key_identifier, "hash"),
        (NID_authority_key_identifier, "keyid"),
        (NID_subject_alt_name, alternatives.joined(separator: ",")),
      ], issuer: issuer.pointer, issuerKey: key)
    defer { X509_free(leaf) }
    return TLSServerContext.Certificate(
      chain: try pem { PEM_write_bio_X509($0, leaf) } + certificate,
      key: try pem { PEM_write_bio_PrivateKey($0, leafKey, nil, nil, 0, nil, nil) })
  }
}

/// Makes and signs a certificate; `issuer` nil: it signs itself.
private func makeCertificate(
  for key: OpaquePointer, name: String, days: Int, extensions: [(nid: Int32, value: String)], issuer: OpaquePointer?,
  issuerKey: OpaquePointer
) throws(CertificateError) -> OpaquePointer {
  guard let certificate = X509_new() else { throw .failed(takeOpenSSLErrors()) }
  var isDone = false
  defer { if !isDone { X509_free(certificate) } }
  let subject = X509_get_subject_name(certificate)
  let serial = BN_bin2bn([0x40 | (randomBytes(1)[0] & 0x3F)] + randomBytes(15), 16, nil)
  defer { BN_free(serial) }
  // X.520 bounds a common name at 64 characters; longer host names have their place in the alternative names.
  let commonName = Array(name.utf8.prefix(64))
  guard X509_set_version(certificate, 2) == 1,
    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != nil,
    // An hour back, for clients whose clock is slow.
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3_600) != nil,
    X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(clamping: days), 0, nil) != nil,
    commonName.isEmpty
      || X509_NAME_add_entry_by_NID(
        subject, NID_commonName, 0x1000 | 1, commonName, Int32(commonName.count), -1, 0) == 1,
    X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0) } ?? subject) == 1,
    X509_set_pubkey(certificate, key) == 1
  else { throw .failed(takeOpenSSLErrors()) }

  var context = X509V3_CTX()
  X509V3_set_ctx(&context, issuer ?? certificate, certificate, nil, nil, 0)
  for (nid, value) in extensions where !value.isEmpty {
    guard let made = X509V3_EXT_conf_nid(nil, &context, nid, value) else { throw .failed(takeOpenSSLErrors()) }
    defer { X509_EXTENSION_free(made) }
    guard X509_add_ext(certificate, made, -1) == 1 else { throw .failed(takeOpenSSLErrors()) }
  }
  guard X509_sign(certificate, issuerKey, EVP_sha256()) > 0 else { throw .failed(takeOpenSSLErrors()) }
  isDone = true
  return certificate
}

private func isIPAddress(_ name: String) -> Bool {
  guard let octets = a2i_IPADDRESS(name) else { return false }
  ASN1_OCTET_STRING_free(octets)
  return true
}

/// What `write` writes, as PEM text.
private func pem(_ write: (OpaquePointer) -> Int32) throws(CertificateError) -> [UInt8] {
  guard let text = writtenBytes(write) else { throw .failed(takeOpenSSLErrors()) }
  return text
}
