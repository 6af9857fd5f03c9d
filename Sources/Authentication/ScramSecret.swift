import Bytes
import Cryptography
import MailStore

/// The hashes SCRAM is offered with.  RFC 5802, RFC 7677, and SCRAM-SHA-512 as registered with IANA.
enum ScramHash: String, CaseIterable, Sendable {
  case sha1 = "SCRAM-SHA-1"
  case sha256 = "SCRAM-SHA-256"
  case sha512 = "SCRAM-SHA-512"

  var algorithm: DigestAlgorithm {
    switch self {
    case .sha1: .sha1
    case .sha256: .sha256
    case .sha512: .sha512
    }
  }
}

/// What a server keeps of a password: enough to check a proof, not enough to make one.  RFC 5802 §3, RFC 5803.
struct ScramSecret: Hashable, Sendable {
  var hash: ScramHash
  var iterations: Int
  var salt: [UInt8]
  var storedKey: [UInt8]
  var serverKey: [UInt8]

  static let saltLength = 16
  /// More than anyone stores; a damaged record must not keep a thread busy for minutes.
  static let maximumIterations = 10_000_000

  init(hash: ScramHash, iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
    self.hash = hash
    self.iterations = iterations
    self.salt = salt
    self.storedKey = storedKey
    self.serverKey = serverKey
  }

  /// Derives the secret of a prepared password. Slow on purpose.
  init(hash: ScramHash, password: [UInt8], salt: [UInt8], iterations: Int) {
    let algorithm = hash.algorithm
    let saltedPassword = pbkdf2(
      algorithm, password: password, salt: salt, iterations: iterations, count: algorithm.byteCount)
    let clientKey = hmac(algorithm, key: saltedPassword, message: Array("Client Key".utf8))
    self.init(
      hash: hash, iterations: iterations, salt: salt, storedKey: digest(clientKey, algorithm),
      serverKey: hmac(algorithm, key: saltedPassword, message: Array("Server Key".utf8)))
  }

  /// Parses the form it is stored in; nil where the text is anything else.
  init?(_ stored: StoredSecret) {
    let parts = stored.text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
    guard parts.count == 3, let hash = ScramHash(rawValue: String(parts[0]) ?? "") else { return nil }
    let parameters = parts[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    let keys = parts[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parameters.count == 2, keys.count == 2,
      let iterations = Int(String(parameters[0]) ?? ""), 1...Self.maximumIterations ~= iterations,
      let salt = Base64.decode(parameters[1]), !salt.isEmpty,
      let storedKey = Base64.decode(keys[0]), storedKey.count == hash.algorithm.byteCount,
      let serverKey = Base64.decode(keys[1]), serverKey.count == hash.algorithm.byteCount
    else { return nil }
    self.init(hash: hash, iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
  }

  /// `SCRAM-SHA-256$<iterations>:<salt64>$<StoredKey64>:<ServerKey64>`.
  var stored: StoredSecret {
    func base64(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
    return StoredSecret("\(hash.rawValue)$\(iterations):\(base64(salt))$\(base64(storedKey)):\(base64(serverKey))")
  }

  /// True if `password`, prepared, is the one this was derived from. As slow as deriving it.
  func matches(_ password: [UInt8]) -> Bool {
    let candidate = ScramSecret(hash: hash, password: password, salt: salt, iterations: iterations)
    return isEqualInConstantTime(candidate.storedKey, storedKey)
  }
}
