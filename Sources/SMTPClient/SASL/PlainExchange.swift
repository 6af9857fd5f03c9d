/// PLAIN.  RFC 4616.
struct PlainExchange: ClientExchange {
  let mechanism = "PLAIN"
  let initialResponse: [UInt8]?
  let isComplete = true

  init(_ credentials: Credentials) {
    initialResponse = [0] + Array(credentials.user.utf8) + [0] + Array(credentials.password.utf8)
  }

  /// The server asks although it has been told.
  mutating func respond(to challenge: [UInt8]) throws(ExchangeFailure) -> [UInt8] { initialResponse ?? [] }
}

/// LOGIN, which no RFC defines: the server asks for one, then for the other.
struct LoginExchange: ClientExchange {
  let mechanism = "LOGIN"
  let initialResponse: [UInt8]? = nil
  let isComplete = true
  private let credentials: Credentials
  private var answers = 0

  init(_ credentials: Credentials) { self.credentials = credentials }

  mutating func respond(to challenge: [UInt8]) throws(ExchangeFailure) -> [UInt8] {
    answers += 1
    return Array((answers == 1 ? credentials.user : credentials.password).utf8)
  }
}
