import Testing

@testable import Cryptography

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

@Suite struct DigestTests {
  @Test(arguments: [
    (DigestAlgorithm.md5, "900150983cd24fb0d6963f7d28e17f72"),
    (.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      .sha384,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
    ),
    (
      .sha512,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    ),
  ]) func digestOfABC(algorithm: DigestAlgorithm, expected: String) {
    #expect(hex(digest(Array("abc".utf8), algorithm)) == expected)
    var digester = Digester(algorithm)
    digester.update([])
    digester.update(Array("a".utf8))
    digester.update(Array("bc".utf8))
    #expect(hex(digester.finish()) == expected)
  }

  /// RFC 2202 §3 case 2, RFC 4231 §4.3, and the empty key and message.
  @Test(arguments: [
    (DigestAlgorithm.sha1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (.md5, "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
    (
      .sha256, "Jefe", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (.sha256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
  ]) func hmacVectors(algorithm: DigestAlgorithm, key: String, message: String, expected: String) {
    #expect(hex(hmac(algorithm, key: Array(key.utf8), message: Array(message.utf8))) == expected)
  }

  /// RFC 6070 §2 and RFC 7914 §11.
  @Test(arguments: [
    (DigestAlgorithm.sha1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
    (.sha1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
    (
      .sha256, "passwd", "salt", 1,
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    ),
  ]) func pbkdf2Vectors(algorithm: DigestAlgorithm, password: String, salt: String, iterations: Int, expected: String) {
    let derived = pbkdf2(
      algorithm, password: Array(password.utf8), salt: Array(salt.utf8), iterations: iterations,
      count: expected.utf8.count / 2)
    #expect(hex(derived) == expected)
  }

  @Test func secretsAreComparedWhole() {
    #expect(isEqualInConstantTime([1, 2, 3], [1, 2, 3]))
    #expect(!isEqualInConstantTime([1, 2, 3], [1, 2, 4]))
    #expect(!isEqualInConstantTime([1, 2, 3], [1, 2]))
    #expect(isEqualInConstantTime([], []))
    #expect(randomBytes(32) != randomBytes(32))
    #expect(randomBytes(0).isEmpty)
  }
}
