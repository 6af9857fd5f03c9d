import Bytes
import MailStore
import Testing

@testable import Authentication

struct ScramSecretTests {
  struct Example: Sendable {
    var hash: ScramHash
    var nonce: String
    var challenge: String
    var final: String
    var serverSignature: String
    /// What a server keeps of `pencil` under the example's salt.
    var salt: String
  }

  /// RFC 5802 §5 and RFC 7677 §3: user `user`, password `pencil`.
  static let examples = [
    Example(
      hash: .sha1, nonce: "fyko+d2lbbFgONRv9qkxdawL",
      challenge: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      serverSignature: "rmF9pqV8S7suAoZWja4dJRkFsKQ=", salt: "QSXCR+Q6sek8bf92"),
    Example(
      hash: .sha256, nonce: "rOprNGfwEbeRWgbNEkqO",
      challenge: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      serverSignature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", salt: "W22ZaJ0SNY7soEsUEjb6gQ=="),
  ]

  @Test("The examples of the RFCs come out", arguments: examples)
  func examplesOfTheRFCs(_ example: Example) throws {
    var client = ScramClient(example.hash, user: "user", password: "pencil", nonce: example.nonce)
    let final = try client.final(for: Array(example.challenge.utf8))
    #expect(String(decoding: final, as: UTF8.self) == example.final)
    #expect(String(decoding: Base64.encode(client.serverSignature), as: UTF8.self) == example.serverSignature)

    let salt = try #require(Base64.decode(Array(example.salt.utf8)))
    let secret = ScramSecret(hash: example.hash, password: Array("pencil".utf8), salt: salt, iterations: 4096)
    #expect(secret.matches(Array("pencil".utf8)))
    #expect(!secret.matches(Array("Pencil".utf8)))
    #expect(ScramSecret(secret.stored) == secret)
    #expect(secret.stored.text.hasPrefix("\(example.hash.rawValue)$4096:\(example.salt)$"))
  }

  @Test(
    "A record that is not a secret is passed over",
    arguments: [
      "", "$", "SCRAM-SHA-1", "SCRAM-SHA-1$4096:c2FsdA==$a:b", "SCRAM-MD5$4096:c2FsdA==$AAAA:AAAA",
      "SCRAM-SHA-1$-1:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "SCRAM-SHA-1$99999999999999999999:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "SCRAM-SHA-1$4096:$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "SCRAM-SHA-1$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAA",
    ])
  func damagedRecords(_ text: String) { #expect(ScramSecret(StoredSecret(text)) == nil) }

  /// RFC 4013 §3, and characters whose compatibility forms a keyboard may give.
  @Test(
    "Passwords are prepared as clients prepare them",
    arguments: [
      ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"),
      ("a\u{A0}b\u{3000}c", "a b c"), ("e\u{301}", "\u{E9}"), ("\u{212B}", "\u{C5}"), ("\u{FB01}", "fi"),
      ("\u{FF21}\u{FF5E}", "A~"), ("\u{1E9B}\u{323}", "\u{1E69}"), ("\u{FDFA}", "صلى الله عليه وسلم"),
      ("\u{D55C}", "\u{D55C}"), ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{1F600}", "\u{1F600}"),
      ("\u{3060}", "\u{3060}"), ("\u{FF76}\u{FF9E}", "\u{30AC}"), ("\u{1D400}\u{1D401}", "AB"), ("\u{B2}\u{B3}", "23"),
    ])
  func preparation(_ given: String, _ prepared: String) {
    #expect(Array(saslPrepared(given).unicodeScalars) == Array(prepared.unicodeScalars))
  }

  @Test("Octets that are no text are taken as they are")
  func notText() { #expect(preparedPassword([0x70, 0xE4, 0xFF]) == [0x70, 0xE4, 0xFF]) }

  @Test("A decoy is the same for the same user under every spelling, and no password fits it")
  func decoys() {
    let decoys = DecoySecrets()
    let domains = ["one.test", "two.test", "three.test"]
    let whole = decoys.canonicalName("Ghost", domains: domains)
    #expect(domains.map { "ghost@\($0)" }.contains(whole))
    #expect(decoys.canonicalName("GHOST", domains: domains) == whole)
    #expect(decoys.canonicalName(whole.uppercased(), domains: domains) == whole)
    #expect(decoys.secret(for: whole, .sha256) == decoys.secret(for: whole, .sha256))
    #expect(decoys.secret(for: whole, .sha256).salt != decoys.secret(for: "other@one.test", .sha256).salt)
    #expect(decoys.secret(for: whole, .sha1).salt.count == ScramSecret.saltLength)
    #expect(!decoys.secret(for: whole, .sha256).matches([]))
  }
}
