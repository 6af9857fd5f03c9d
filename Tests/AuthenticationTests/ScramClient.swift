import Bytes
import Cryptography

@testable import Authentication

/// The client's side of SCRAM, written from RFC 5802 for these tests.
struct ScramClient {
  let hash: ScramHash
  let password: [UInt8]
  let header: String
  let binding: [UInt8]
  let bare: String
  private(set) var serverSignature: [UInt8] = []

  init(
    _ hash: ScramHash, user: String, password: String, header: String = "n,,", binding: [UInt8] = [],
    nonce: String = "fyko+d2lbbFgONRv9qkxdawL"
  ) {
    self.hash = hash
    self.password = Array(password.utf8)
    self.header = header
    self.binding = binding
    bare = "n=\(user),r=\(nonce)"
  }

  var first: [UInt8] { Array((header + bare).utf8) }

  /// The final message for the server's first.
  mutating func final(for challenge: [UInt8]) throws -> [UInt8] {
    let serverFirst = String(decoding: challenge, as: UTF8.self)
    let fields = ScramClient.fields(challenge)
    guard let nonce = fields["r"], let salt = Base64.decode(Array((fields["s"] ?? "").utf8)),
      let iterations = Int(fields["i"] ?? "")
    else { throw NotAChallenge() }
    let algorithm = hash.algorithm
    let salted = pbkdf2(
      algorithm, password: password, salt: salt, iterations: iterations, count: algorithm.byteCount)
    let clientKey = hmac(algorithm, key: salted, message: Array("Client Key".utf8))
    let serverKey = hmac(algorithm, key: salted, message: Array("Server Key".utf8))
    let channel = String(decoding: Base64.encode(Array(header.utf8) + binding), as: UTF8.self)
    let unproven = "c=\(channel),r=\(nonce)"
    let message = Array("\(bare),\(serverFirst),\(unproven)".utf8)
    let signature = hmac(algorithm, key: digest(clientKey, algorithm), message: message)
    serverSignature = hmac(algorithm, key: serverKey, message: message)
    let proof = zip(clientKey, signature).map { $0 ^ $1 }
    return Array("\(unproven),p=".utf8) + Base64.encode(proof)
  }

  struct NotAChallenge: Error {}

  static func fields(_ message: [UInt8]) -> [String: String] {
    var fields: [String: String] = [:]
    for part in String(decoding: message, as: UTF8.self).split(separator: ",") where part.dropFirst().first == "=" {
      fields[String(part.prefix(1))] = String(part.dropFirst(2))
    }
    return fields
  }
}
