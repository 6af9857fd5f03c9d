import Authentication
import Bytes
import SMTP

extension SMTPSession {
  /// AUTH.  RFC 4954 §4.
  mutating func authenticate(_ mechanism: String, _ initialResponse: [UInt8]?) async throws(SessionEnd) {
    guard role == .submission else {
      return try refuse(SMTPReply(502, 5, 5, 1, "AUTH is not offered here; use port 465 or 587"))
    }
    guard case .greeted = state else { return try refuse(badSequence) }
    guard account == nil else { return try refuse(SMTPReply(503, 5, 5, 1, "You are authenticated already")) }
    guard let exchange = services.authenticator.begin(mechanism, authenticationContext) else {
      if canStartTLS, !services.authenticator.allowsPlaintext(authenticationContext) {
        return try refuse(SMTPReply(538, 5, 7, 11, "This mechanism is not offered without TLS; say STARTTLS first"))
      }
      return try refuse(SMTPReply(504, 5, 5, 4, "Authentication mechanism not supported"))
    }
    var response: [UInt8]?
    if let initialResponse {
      guard let decoded = Self.decode(initialResponse, emptyAs: "=") else {
        exchange.cancel()
        return try refuse(Self.badBase64)
      }
      response = decoded
    }
    while true {
      switch await exchange.step(response) {
      case .challenge(let challenge):
        response = try await ask(challenge, exchange)
        if response == nil { return }
      case .authenticated(let account, let additionalData):
        // RFC 4954 §4: success carries no data, so it goes as a last challenge, answered by an empty line.
        if let additionalData, try await ask(additionalData, exchange) == nil { return }
        self.account = account
        failedAuthentications = 0
        return reply(SMTPReply(235, 2, 7, 0, "Authentication successful"))
      case .failed(let failure):
        failedAuthentications += 1
        try refuse(SMTPReply(failure))
        if failedAuthentications >= services.limits.failedAuthentications {
          throw .leave(SMTPReply(421, 4, 7, 0, "Too many failed attempts"))
        }
        return
      }
    }
  }

  /// Sends a challenge and takes the response. Nil: the exchange has ended and the client knows.
  private mutating func ask(_ challenge: [UInt8], _ exchange: any SASLExchange) async throws(SessionEnd) -> [UInt8]? {
    reply(SMTPReply(334, nil, [String(decoding: Base64.encode(challenge), as: UTF8.self)]))
    let line: [UInt8]?
    do throws(SessionEnd) {
      line = try await nextLine(mayStop: false)
    } catch {
      exchange.cancel()
      throw error
    }
    guard let line else {
      exchange.cancel()
      try refuse(SMTPReply(500, 5, 5, 6, "Authentication exchange line is too long"))
      return nil
    }
    if line == [UInt8(ascii: "*")] {
      exchange.cancel()
      try refuse(SMTPReply(AuthenticationFailure.cancelled))
      return nil
    }
    guard let decoded = Self.decode(line, emptyAs: "") else {
      exchange.cancel()
      try refuse(Self.badBase64)
      return nil
    }
    return decoded
  }

  private static func decode(_ text: [UInt8], emptyAs empty: String) -> [UInt8]? {
    text.elementsEqual(empty.utf8) ? [] : Base64.decode(text)
  }

  private static let badBase64 = SMTPReply(501, 5, 5, 2, "This is not base64")
}
