import COpenSSL

/// The digests that mail needs. MD5 and SHA-1 are here for what older protocols ask of them, not for new uses.
package enum DigestAlgorithm: Sendable, CaseIterable {
  case md5, sha1, sha256, sha384, sha512

  package var byteCount: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256: 32
    case .sha384: 48
    case .sha512: 64
    }
  }

  var openSSL: OpaquePointer {
    switch self {
    case .md5: EVP_md5()
    case .sha1: EVP_sha1()
    case .sha256: EVP_sha256()
    case .sha384: EVP_sha384()
    case .sha512: EVP_sha512()
    }
  }
}

/// The digest of `bytes`.
package func digest(_ bytes: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
  var digester = Digester(algorithm)
  bytes.withUnsafeBytes { digester.update($0) }
  return digester.finish()
}

/// The first eight octets of the SHA-256 of `text`: a number by which it is known again, and not read.
package func shortDigest(_ text: String) -> Int64 {
  digest(Array(text.utf8), .sha256).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
}

/// A digest of bytes that come in pieces.
package struct Digester: ~Copyable {
  private let context: OpaquePointer
  private let algorithm: DigestAlgorithm

  package init(_ algorithm: DigestAlgorithm) {
    prepareOpenSSL()
    self.algorithm = algorithm
    context = EVP_MD_CTX_new()
    precondition(EVP_DigestInit_ex(context, algorithm.openSSL, nil) == 1, "the library has no \(algorithm)")
  }

  deinit { EVP_MD_CTX_free(context) }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  package consuming func finish() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, filled in
      precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1, "a digest failed")
      filled = algorithm.byteCount
    }
  }
}

/// Keyed-hash message authentication.  RFC 2104.
package func hmac(_ algorithm: DigestAlgorithm, key: [UInt8], message: [UInt8]) -> [UInt8] {
  prepareOpenSSL()
  // A null key pointer would mean "the key of last time", so an empty key is given as one zero byte of length 0.
  let keyBytes = key.isEmpty ? [0] : key
  return [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, filled in
    let result = HMAC(
      algorithm.openSSL, keyBytes, Int32(key.count), message, message.count, buffer.baseAddress, nil)
    precondition(result != nil, "HMAC failed")
    filled = algorithm.byteCount
  }
}

/// Derives `count` bytes from a password. Slow on purpose: never on an event loop.  RFC 8018 §5.2.
package func pbkdf2(
  _ algorithm: DigestAlgorithm, password: [UInt8], salt: [UInt8], iterations: Int, count: Int
) -> [UInt8] {
  prepareOpenSSL()
  let iterations = Int32(clamping: max(iterations, 1))
  return password.withUnsafeBytes { password in
    // A null pointer with length 0 is taken for the empty password, which is what is meant.
    let characters = password.baseAddress?.assumingMemoryBound(to: CChar.self)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      let result = PKCS5_PBKDF2_HMAC(
        characters, Int32(password.count), salt, Int32(salt.count), iterations, algorithm.openSSL, Int32(count),
        buffer.baseAddress)
      precondition(result == 1, "PBKDF2 failed")
      filled = count
    }
  }
}

/// Compares secrets in a time that tells nothing about where they differ. Their lengths are no secret.
package func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
