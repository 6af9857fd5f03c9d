import Authentication
import Bytes

extension POP3Command {
  /// `AUTH` alone or with only spaces after it lists the mechanisms, as Outlook asks for them.
  static let authenticate = POP3Command(
    "AUTH", "RFC 5034 §4",
    .authorization { session, arguments throws(POP3Failure) in
      var arguments = arguments
      let context = session.authenticationContext
      guard let word = arguments.nextWord() else {
        session.reply("mechanisms follow")
        for mechanism in session.services.authenticator.mechanisms(for: context) { session.line(mechanism) }
        session.endOfLines()
        return
      }
      let name = String(decoding: word.map(\.asciiUppercased), as: UTF8.self)
      let initial = try arguments.nextWord().map { text throws(POP3Failure) in try initialResponse(text) }
      try arguments.expectEnd()
      guard let exchange = session.services.authenticator.begin(name, context) else {
        throw context.tls == nil && ["PLAIN", "LOGIN"].contains(name) ? .needsTLS : .unknownMechanism
      }
      let account: AuthenticatedAccount
      do throws(POP3Failure) {
        account = try await session.run(exchange, initial)
      } catch {
        exchange.cancel()
        throw error
      }
      try await session.enter(account)
    })

  /// `=` is a response of no octets.  RFC 5034 §4.
  private static func initialResponse(_ text: ArraySlice<UInt8>) throws(POP3Failure) -> [UInt8] {
    if text.elementsEqual([0x3D]) { return [] }
    guard let bytes = Base64.decode(text) else { throw .syntax("initial response is not base64") }
    return bytes
  }
}

extension POP3Session {
  /// Challenges and responses until the mechanism is done.
  fileprivate mutating func run(_ exchange: any SASLExchange, _ initial: [UInt8]?) async throws(POP3Failure)
    -> AuthenticatedAccount
  {
    var response = initial
    try await flush()
    while true {
      switch await exchange.step(response) {
      case .challenge(let challenge):
        response = try await respond(to: challenge)
      case .authenticated(let account, let additionalData):
        // POP3's success has no room for data: it goes as a challenge that is answered with nothing.  RFC 5034 §4.
        if let additionalData {
          guard try await respond(to: additionalData).isEmpty else { throw .authentication(.malformed) }
        }
        return account
      case .failed(let failure):
        throw .authentication(failure)
      }
    }
  }

  private mutating func respond(to challenge: [UInt8]) async throws(POP3Failure) -> [UInt8] {
    try await write { output in
      output.append(literal: "+ ")
      output.append(contentsOf: Base64.encode(challenge))
      output.append(literal: "\r\n")
    }
    guard let line = try await nextLine() else { throw .disconnected }
    if line == [0x2A] { throw .authentication(.cancelled) }
    guard let response = Base64.decode(line) else { throw .authentication(.malformed) }
    return response
  }
}
