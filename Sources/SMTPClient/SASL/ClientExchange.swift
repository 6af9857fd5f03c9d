import Bytes
import Cryptography

/// The client's side of one run of a SASL mechanism.  RFC 4422 §3.
protocol ClientExchange: Sendable {
  var mechanism: String { get }
  /// Nil where the server speaks first.
  var initialResponse: [UInt8]? { get }
  /// Both challenge and response are decoded.
  mutating func respond(to challenge: [UInt8]) throws(ExchangeFailure) -> [UInt8]
  /// True once a success of the server may be believed.
  var isComplete: Bool { get }
}

enum ExchangeFailure: Error {
  /// The server sends what no server that knows the password would.
  case notAuthentic
  case host(HostFailure)
}

/// The best mechanism of those a server offers, and none that gives a password away where one does not.
func clientExchange(
  for credentials: Credentials, offered: [String], channelBinding: [UInt8]?
) -> (any ClientExchange)? {
  if offered.contains("SCRAM-SHA-256-PLUS"), let channelBinding {
    return ScramExchange(credentials, binding: .bound(channelBinding), nonce: freshNonce())
  }
  if offered.contains("SCRAM-SHA-256") {
    return ScramExchange(credentials, binding: channelBinding == nil ? .unable : .notOffered, nonce: freshNonce())
  }
  if offered.contains("PLAIN") { return PlainExchange(credentials) }
  if offered.contains("LOGIN") { return LoginExchange(credentials) }
  return nil
}

private func freshNonce() -> String {
  hexadecimal(randomBytes(18))
}
