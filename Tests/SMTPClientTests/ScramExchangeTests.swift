import Testing

@testable import SMTPClient

@Suite struct ScramExchangeTests {
  private let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

  private func exchange() -> ScramExchange {
    ScramExchange(Credentials(user: "user", password: "pencil"), binding: .unable, nonce: "rOprNGfwEbeRWgbNEkqO")
  }

  /// RFC 7677 §3.
  @Test func theExampleOfTheRFC() throws {
    var exchange = exchange()
    #expect(exchange.initialResponse == Array("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8))
    let final = try exchange.respond(to: Array(first.utf8))
    #expect(
      String(decoding: final, as: UTF8.self)
        == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    #expect(!exchange.isComplete)
    #expect(try exchange.respond(to: Array("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8)) == [])
    #expect(exchange.isComplete)
  }

  @Test(arguments: [
    "", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
    "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
    "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999", "e=unknown-user",
  ]) func aServerThatWouldLearnTooMuchIsTold(_ challenge: String) {
    var exchange = exchange()
    #expect(throws: ExchangeFailure.self) { _ = try exchange.respond(to: Array(challenge.utf8)) }
  }

  @Test func aServerThatDoesNotKnowThePasswordIsNotBelieved() throws {
    var exchange = exchange()
    _ = try exchange.respond(to: Array(first.utf8))
    #expect(throws: ExchangeFailure.self) {
      _ = try exchange.respond(to: Array("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8))
    }
    #expect(!exchange.isComplete)
  }

  @Test(arguments: [
    (["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], true, "SCRAM-SHA-256-PLUS"),
    (["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], false, "SCRAM-SHA-256"),
    (["LOGIN", "PLAIN"], true, "PLAIN"), (["LOGIN", "CRAM-MD5"], true, "LOGIN"), (["GSSAPI"], true, nil),
  ] as [([String], Bool, String?)])
  func theBestMechanismIsTaken(_ offered: [String], _ isBound: Bool, _ mechanism: String?) {
    let chosen = clientExchange(
      for: Credentials(user: "u", password: "p"), offered: offered, channelBinding: isBound ? [1] : nil)
    #expect(chosen?.mechanism == mechanism)
  }
}
