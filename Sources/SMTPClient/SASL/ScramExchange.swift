import Bytes
import Cryptography
import MessageFormat

/// SCRAM-SHA-256, with channel binding where the server offers it.  RFC 5802, RFC 7677, RFC 9266.
///
/// Names and passwords are brought into NFC; for ASCII that is all that SASLprep would do.
struct ScramExchange: ClientExchange {
  enum Binding: Sendable {
    /// `p=tls-exporter`.
    case bound([UInt8])
    /// `y`: we could, the server does not say that it can. One that can will know that somebody took the word out.
    case notOffered
    /// `n`.
    case unable
  }

  /// RFC 7677 §4 asks for this many at least; a server that asks for fewer makes the proof easy to guess from.
  static let fewestIterations = 4_096
  /// A server must not buy our processor for a message. Half a second's worth.
  static let mostIterations = 600_000

  let mechanism: String
  private(set) var isComplete = false
  private let password: [UInt8]
  private let header: String
  private let bindingData: [UInt8]
  private let bare: String
  private let nonce: String
  private var expectedSignature: [UInt8]?

  init(_ credentials: Credentials, binding: Binding, nonce: String) {
    switch binding {
    case .bound(let data): (mechanism, header, bindingData) = ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", data)
    case .notOffered: (mechanism, header, bindingData) = ("SCRAM-SHA-256", "y,,", [])
    case .unable: (mechanism, header, bindingData) = ("SCRAM-SHA-256", "n,,", [])
    }
    password = Array(credentials.password.nfc.utf8)
    // RFC 5802 §5.1: `saslname`.
    let name = credentials.user.nfc.unicodeScalars.map { $0 == "," ? "=2C" : $0 == "=" ? "=3D" : String($0) }.joined()
    bare = "n=\(name),r=\(nonce)"
    self.nonce = nonce
  }

  var initialResponse: [UInt8]? { Array((header + bare).utf8) }

  mutating func respond(to challenge: [UInt8]) throws(ExchangeFailure) -> [UInt8] {
    guard let expectedSignature else { return try final(for: challenge) }
    // `v=`: the server proves that it knows the password as well.
    guard !isComplete, let signature = Self.fields(challenge)["v"].flatMap({ Base64.decode(Array($0.utf8)) }),
      isEqualInConstantTime(signature, expectedSignature)
    else { throw .notAuthentic }
    isComplete = true
    return []
  }

  /// `client-final-message` for `server-first-message`.  RFC 5802 §3, §7.
  private mutating func final(for challenge: [UInt8]) throws(ExchangeFailure) -> [UInt8] {
    let fields = Self.fields(challenge)
    guard let serverFirst = String(validating: challenge, as: UTF8.self), let full = fields["r"],
      full.hasPrefix(nonce), full.utf8.count > nonce.utf8.count,
      let salt = fields["s"].flatMap({ Base64.decode(Array($0.utf8)) }), !salt.isEmpty,
      let iterations = fields["i"].flatMap({ Int($0) }),
      (Self.fewestIterations...Self.mostIterations).contains(iterations)
    else { throw .notAuthentic }
    let salted = pbkdf2(.sha256, password: password, salt: salt, iterations: iterations, count: 32)
    let clientKey = hmac(.sha256, key: salted, message: Array("Client Key".utf8))
    let serverKey = hmac(.sha256, key: salted, message: Array("Server Key".utf8))
    let channel = String(decoding: Base64.encode(Array(header.utf8) + bindingData), as: UTF8.self)
    let unproven = "c=\(channel),r=\(full)"
    let message = Array("\(bare),\(serverFirst),\(unproven)".utf8)
    let signature = hmac(.sha256, key: digest(clientKey, .sha256), message: message)
    expectedSignature = hmac(.sha256, key: serverKey, message: message)
    return Array("\(unproven),p=".utf8) + Base64.encode(zip(clientKey, signature).map { $0 ^ $1 })
  }

  private static func fields(_ message: [UInt8]) -> [String: String] {
    var fields: [String: String] = [:]
    for part in String(decoding: message.prefix(2_048), as: UTF8.self).split(separator: ",")
    where part.dropFirst().first == "=" {
      fields[String(part.prefix(1))] = String(part.dropFirst(2))
    }
    return fields
  }
}
