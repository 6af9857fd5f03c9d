import COpenSSL

/// The public half of a key, as it stands in a key record.  RFC 6376 §3.6.1, RFC 8463 §4.2.
package struct PublicKey: Sendable {
  private let handle: KeyHandle

  init(handle: KeyHandle) { self.handle = handle }

  /// Reads what `p=` holds once its base64 is decoded: for RSA a SubjectPublicKeyInfo, which all publish, or the
  /// RSAPublicKey that RFC 6376 names; for Ed25519 the 32 octets of the key.
  /// - Parameter published: at most some hundred octets; the caller bounds it.
  package init(_ algorithm: SignatureAlgorithm, published: [UInt8]) throws(KeyError) {
    guard !published.isEmpty else { throw .unreadable("it is empty") }
    prepareOpenSSL()
    ERR_clear_error()
    let key: OpaquePointer? =
      switch algorithm {
      case .rsa:
        published.withUnsafeBufferPointer { bytes in
          Self.decode(bytes) { d2i_PUBKEY(nil, &$0, bytes.count) }
            ?? Self.decode(bytes) { d2i_PublicKey(EVP_PKEY_RSA, nil, &$0, bytes.count) }
        }
      case .ed25519:
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, published, published.count)
      }
    guard let key else { throw .unreadable(takeOpenSSLErrors()) }
    ERR_clear_error()
    handle = try KeyHandle(owning: key)
    guard handle.algorithm == algorithm else { throw .otherAlgorithm }
  }

  package var algorithm: SignatureAlgorithm { handle.algorithm }
  /// The size of an RSA modulus in bits; 256 for Ed25519.
  package var bitCount: Int { handle.bitCount }

  /// What `p=` holds, before base64.
  package var published: [UInt8] {
    get throws(KeyError) {
      ERR_clear_error()
      switch algorithm {
      case .rsa:
        guard let bytes = writtenBytes({ i2d_PUBKEY_bio($0, handle.pointer) }) else {
          throw .failed(takeOpenSSLErrors())
        }
        return bytes
      case .ed25519:
        var count = 32
        var bytes = [UInt8](repeating: 0, count: count)
        guard EVP_PKEY_get_raw_public_key(handle.pointer, &bytes, &count) == 1, count == 32 else {
          throw .failed(takeOpenSSLErrors())
        }
        return bytes
      }
    }
  }

  /// True if `signature` was made over the digest with the private half.
  package func accepts(_ signature: [UInt8], ofSHA256 digest: [UInt8]) -> Bool {
    // A failed check leaves its reason behind, which is nobody's error.
    ERR_clear_error()
    defer { ERR_clear_error() }
    switch algorithm {
    case .rsa:
      return handle.withRSAContext(EVP_PKEY_verify_init) {
        EVP_PKEY_verify($0, signature, signature.count, digest, digest.count) == 1
      } ?? false
    case .ed25519:
      let context = EVP_MD_CTX_new()
      defer { EVP_MD_CTX_free(context) }
      return EVP_DigestVerifyInit(context, nil, nil, nil, handle.pointer) == 1
        && EVP_DigestVerify(context, signature, signature.count, digest, digest.count) == 1
    }
  }

  /// What `read` reads, if it reads all of it.
  private static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ read: (inout UnsafePointer<UInt8>?) -> OpaquePointer?
  ) -> OpaquePointer? {
    var position = bytes.baseAddress
    guard let key = read(&position) else { return nil }
    guard position == bytes.baseAddress.map({ $0 + bytes.count }) else {
      EVP_PKEY_free(key)
      return nil
    }
    return key
  }
}
