import COpenSSL

/// A private key that signs SHA-256 digests.
package struct SigningKey: Sendable {
  private let handle: KeyHandle

  /// Makes a key. An RSA key takes a tenth of a second and more: never on an event loop.
  /// - Parameter bits: of an RSA key. 2048 is what verifiers and DNS both take well.  RFC 8301 §3.2.
  package static func generate(_ algorithm: SignatureAlgorithm, bits: Int = 2048) throws(KeyError) -> SigningKey {
    prepareOpenSSL()
    ERR_clear_error()
    let made = algorithm == .rsa ? shim_new_rsa_key(max(bits, 1024)) : shim_new_ed25519_key()
    guard let made else { throw .failed(takeOpenSSLErrors()) }
    return SigningKey(handle: try KeyHandle(owning: made))
  }

  private init(handle: KeyHandle) { self.handle = handle }

  /// Reads PKCS #8 or the older form of the algorithm (`BEGIN RSA PRIVATE KEY`).
  package init(pem: [UInt8]) throws(KeyError) {
    let key: OpaquePointer
    do throws(CertificateError) {
      key = try readPrivateKey(pem)
    } catch {
      switch error {
      case .encryptedKey: throw .encrypted
      case .badKey(let reason), .badCertificate(let reason), .failed(let reason): throw .unreadable(reason)
      case .none, .keyDoesNotMatch: throw .unreadable("\(error)")
      }
    }
    handle = try KeyHandle(owning: key)
  }

  /// Reads PKCS #8 or the older form of the algorithm.
  package init(der: [UInt8]) throws(KeyError) {
    guard !der.isEmpty else { throw .unreadable("it is empty") }
    prepareOpenSSL()
    ERR_clear_error()
    let key = der.withUnsafeBufferPointer { bytes in
      var position = bytes.baseAddress
      return d2i_AutoPrivateKey(nil, &position, bytes.count)
    }
    guard let key else { throw .unreadable(takeOpenSSLErrors()) }
    handle = try KeyHandle(owning: key)
  }

  package var algorithm: SignatureAlgorithm { handle.algorithm }
  /// The size of an RSA modulus in bits; 256 for Ed25519.
  package var bitCount: Int { handle.bitCount }

  /// PKCS #8 as PEM, without a passphrase.
  package var pem: [UInt8] {
    get throws(KeyError) {
      try written { PEM_write_bio_PrivateKey($0, handle.pointer, nil, nil, 0, nil, nil) }
    }
  }

  /// PKCS #8, without a passphrase.
  package var der: [UInt8] {
    get throws(KeyError) {
      try written { i2d_PKCS8PrivateKeyInfo_bio($0, handle.pointer) }
    }
  }

  package var publicKey: PublicKey { PublicKey(handle: handle) }

  /// Signs a digest: RSASSA-PKCS1-v1_5 with SHA-256, or PureEdDSA with the digest for its message (RFC 8463 §3).
  package func signature(ofSHA256 digest: [UInt8]) throws(KeyError) -> [UInt8] {
    precondition(digest.count == 32, "not a SHA-256 digest")
    ERR_clear_error()
    let signature: [UInt8]? =
      switch algorithm {
      case .rsa:
        handle.withRSAContext(EVP_PKEY_sign_init) { context in
          bytes(upTo: Int(EVP_PKEY_get_size(handle.pointer))) {
            EVP_PKEY_sign(context, $0, &$1, digest, digest.count)
          }
        }
      case .ed25519: ed25519Signature(of: digest)
      }
    guard let signature else { throw .failed(takeOpenSSLErrors()) }
    return signature
  }

  private func ed25519Signature(of message: [UInt8]) -> [UInt8]? {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestSignInit(context, nil, nil, nil, handle.pointer) == 1 else { return nil }
    return bytes(upTo: 64) { EVP_DigestSign(context, $0, &$1, message, message.count) }
  }

  private func bytes(
    upTo capacity: Int, _ sign: (UnsafeMutablePointer<UInt8>?, inout Int) -> Int32
  ) -> [UInt8]? {
    var isSigned = false
    let signature = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      var length = capacity
      isSigned = sign(buffer.baseAddress, &length) == 1
      count = isSigned ? length : 0
    }
    return isSigned ? signature : nil
  }

  private func written(_ write: (OpaquePointer) -> Int32) throws(KeyError) -> [UInt8] {
    ERR_clear_error()
    guard let bytes = writtenBytes(write) else { throw .failed(takeOpenSSLErrors()) }
    return bytes
  }
}
