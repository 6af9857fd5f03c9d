import Bytes
import Testing

@testable import Cryptography

@Suite struct SigningKeyTests {
  private static let message = digest(Array("a message".utf8), .sha256)

  @Test(arguments: SignatureAlgorithm.allCases) func aSignatureIsAcceptedByItsKeyAndNoOther(
    algorithm: SignatureAlgorithm
  ) throws {
    let key = try SigningKey.generate(algorithm)
    let signature = try key.signature(ofSHA256: Self.message)
    #expect(key.algorithm == algorithm)
    #expect(key.bitCount == (algorithm == .rsa ? 2048 : 256))
    #expect(key.publicKey.accepts(signature, ofSHA256: Self.message))
    #expect(!key.publicKey.accepts(signature, ofSHA256: digest([], .sha256)))
    #expect(!key.publicKey.accepts([], ofSHA256: Self.message))
    #expect(!key.publicKey.accepts(Array(signature.dropLast()), ofSHA256: Self.message))
    var damaged = signature
    damaged[20] ^= 1
    #expect(!key.publicKey.accepts(damaged, ofSHA256: Self.message))
    #expect(!(try SigningKey.generate(algorithm).publicKey.accepts(signature, ofSHA256: Self.message)))
  }

  @Test(arguments: SignatureAlgorithm.allCases) func aKeyIsReadAsItWasWritten(algorithm: SignatureAlgorithm) throws {
    let key = try SigningKey.generate(algorithm)
    let published = try key.publicKey.published
    for copy in [try SigningKey(pem: try key.pem), try SigningKey(der: try key.der)] {
      #expect(try copy.publicKey.published == published)
      let signature = try copy.signature(ofSHA256: Self.message)
      #expect(try PublicKey(algorithm, published: published).accepts(signature, ofSHA256: Self.message))
    }
    #expect(try key.pem.starts(with: Array("-----BEGIN PRIVATE KEY-----".utf8)))
  }

  /// RFC 8032 §7.1, test 1: the key that RFC 8463 appendix A uses.
  @Test func anEd25519KeyIsTheOneOfTheRFC() throws {
    let seed = try #require(Base64.decode(Array("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".utf8)))
    let prefix: [UInt8] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20]
    let key = try SigningKey(der: prefix + seed)
    #expect(
      try Base64.encode(key.publicKey.published) == Array("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".utf8))
  }

  /// RFC 6376 §3.6.1 names RSAPublicKey; all the world publishes SubjectPublicKeyInfo, which wraps it.
  @Test func anRSAKeyIsReadInBothForms() throws {
    let key = try SigningKey.generate(.rsa, bits: 1024)
    let info = try key.publicKey.published
    // The header of a SubjectPublicKeyInfo with a key of 1024 bits takes 22 octets.
    let plain = Array(info.dropFirst(22))
    let signature = try key.signature(ofSHA256: Self.message)
    for form in [info, plain] {
      let read = try PublicKey(.rsa, published: form)
      #expect(read.bitCount == 1024)
      #expect(read.accepts(signature, ofSHA256: Self.message))
    }
  }

  @Test func whatIsNoKeyIsRefusedInWords() throws {
    let ecdsa = try CertificateAuthority(name: "test").issue(names: ["localhost"])
    #expect(throws: KeyError.otherAlgorithm) { try SigningKey(pem: ecdsa.key) }
    for bytes in [[], [0x30], Array("no key".utf8)] as [[UInt8]] {
      #expect(throws: KeyError.self) { try SigningKey(pem: bytes) }
      #expect(throws: KeyError.self) { try SigningKey(der: bytes) }
      for algorithm in SignatureAlgorithm.allCases {
        #expect(throws: KeyError.self) { try PublicKey(algorithm, published: bytes) }
      }
    }
    let ed25519 = try SigningKey.generate(.ed25519).publicKey.published
    #expect(throws: KeyError.self) { try PublicKey(.rsa, published: ed25519) }
    #expect(throws: KeyError.self) { try PublicKey(.ed25519, published: ed25519 + [0]) }
    let rsa = try SigningKey.generate(.rsa, bits: 1024).publicKey.published
    #expect(throws: KeyError.self) { try PublicKey(.rsa, published: rsa + [0]) }
  }
}
