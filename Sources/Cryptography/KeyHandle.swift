import COpenSSL

/// The kinds of keys that sign messages.  RFC 6376 §3.3, RFC 8463 §3.
package enum SignatureAlgorithm: Hashable, Sendable, CaseIterable {
  case rsa, ed25519
}

/// What is wrong with a key, in words for whoever keeps it.
package enum KeyError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(String)
  /// It is protected by a passphrase, and nobody is there to type it.
  case encrypted
  /// It is neither an RSA nor an Ed25519 key.
  case otherAlgorithm
  case failed(String)

  package var description: String {
    switch self {
    case .unreadable(let reason): "the key cannot be read (\(reason))"
    case .encrypted: "the private key is protected by a passphrase; store it without one"
    case .otherAlgorithm: "the key is neither an RSA nor an Ed25519 key"
    case .failed(let reason): "the key could not be used: \(reason)"
    }
  }
}

/// A key that this process owns a reference to. OpenSSL lets several threads use one at a time while none changes it.
final class KeyHandle: @unchecked Sendable {
  let pointer: OpaquePointer
  let algorithm: SignatureAlgorithm

  /// Takes the key over, even where it throws.
  init(owning pointer: OpaquePointer) throws(KeyError) {
    switch EVP_PKEY_get_base_id(pointer) {
    case EVP_PKEY_RSA: algorithm = .rsa
    case EVP_PKEY_ED25519: algorithm = .ed25519
    default:
      EVP_PKEY_free(pointer)
      throw .otherAlgorithm
    }
    self.pointer = pointer
  }

  deinit { EVP_PKEY_free(pointer) }

  /// The size of an RSA modulus in bits; 256 for Ed25519.
  var bitCount: Int { algorithm == .rsa ? Int(EVP_PKEY_get_bits(pointer)) : 256 }

  /// A context for RSASSA-PKCS1-v1_5 over a SHA-256 digest.  RFC 8017 §8.2.
  func withRSAContext<Result>(
    _ prepare: (OpaquePointer) -> Int32, _ body: (OpaquePointer) -> Result?
  ) -> Result? {
    guard let context = EVP_PKEY_CTX_new(pointer, nil) else { return nil }
    defer { EVP_PKEY_CTX_free(context) }
    guard prepare(context) == 1, EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1,
      EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
    else { return nil }
    return body(context)
  }
}
