import Cryptography
import MessageFormat
import Testing

@testable import DKIM

private let day: Int64 = 86_400
private let domain = Domain("example.org")!

private func at(_ days: Int64) -> Timestamp { Timestamp(seconds: 1_795_500_000 + days * day) }

@Suite struct KeyTests {
  @Test func selectorsSayMonthAndAlgorithm() throws {
    let first = KeySelector.monthly(.rsa, at: at(0), taken: [])
    #expect(first.text == "202611-rsa")
    let second = KeySelector.monthly(.rsa, at: at(0), taken: [first])
    #expect(second.text == "202611-rsa-2")
    #expect(KeySelector.monthly(.rsa, at: at(0), taken: [first, second]).text == "202611-rsa-3")
    #expect(KeySelector.monthly(.ed25519, at: at(60), taken: [first]).text == "202701-ed25519")
    #expect(KeySelector("a.b")?.recordName(in: domain) == "a.b._domainkey.example.org")
    for text in ["", "a b", "a..b", "[192.0.2.1]", "-a"] { #expect(KeySelector(text) == nil) }
  }

  @Test(arguments: SignatureAlgorithm.allCases) func aRecordIsReadAsItIsPrinted(algorithm: SignatureAlgorithm) throws {
    let key = try SigningKey.generate(algorithm).publicKey
    let selector = KeySelector.monthly(algorithm, at: at(0), taken: [])
    let record = try #require(try KeyRecordText(key, selector: selector, domain: domain))
    #expect(record.strings.joined() == record.text)
    #expect(record.strings.count == (algorithm == .rsa ? 2 : 1))
    #expect(record.strings.allSatisfy { 1...255 ~= $0.utf8.count })
    let line = record.zoneFileLine(ttl: 300)
    #expect(line.hasPrefix("202611-\(algorithm)._domainkey.example.org. 300 IN TXT \"v=DKIM1; k=\(algorithm); p="))
    #expect(line.hasSuffix("\""))

    #expect(record.isPublished(in: .records([Array("v=spf1 -all".utf8), Array(record.text.utf8)])))
    #expect(record.isPublished(in: .records([Array(("n=x; t=y; " + record.text.dropFirst(9)).utf8)])))
    let other = try SigningKey.generate(algorithm).publicKey
    let otherRecord = try #require(try KeyRecordText(other, selector: KeySelector("x")!, domain: domain))
    #expect(!record.isPublished(in: .records([Array(otherRecord.text.utf8)])))
    #expect(!record.isPublished(in: .none))
    #expect(!record.isPublished(in: .records([Array("v=DKIM1; p=".utf8)])))
  }
}

/// A key's life, by a clock that is moved.
@Suite struct KeyRotationTests {
  private var rotation = KeyRotation(domain: domain, algorithms: [.rsa])

  private static func selector(_ text: String) -> KeySelector { KeySelector(text)! }
  private let first = Self.selector("202611-rsa")
  private let second = Self.selector("202704-rsa")

  private mutating func add(_ selector: KeySelector, _ days: Int64) {
    rotation.add(DKIMKey(selector: selector, algorithm: .rsa, made: at(days)))
  }

  private mutating func bringFirstToSigning() {
    _ = rotation.advance(to: at(0))
    add(first, 0)
    rotation.recordSeen(first, at: at(0))
    _ = rotation.advance(to: at(1))
  }

  @Test mutating func aKeyIsMadePublishedAndSigns() {
    #expect(rotation.advance(to: at(0)) == [.make(.rsa, first)])
    #expect(rotation.advance(to: at(0)) == [.make(.rsa, first)], "it is asked for until it is there")
    add(first, 0)
    #expect(rotation.advance(to: at(0)) == [.check(first)])
    #expect(rotation.recordMissing(first, at: at(0)) == [])
    #expect(rotation.nextAdvance(after: at(0)) == at(0).advanced(by: rotation.times.waiting))
    #expect(rotation.advance(to: at(0)) == [])
    #expect(rotation.advance(to: at(1)) == [.check(first)])
    rotation.recordSeen(first, at: at(1))
    #expect(rotation.signingKeys == [])
    #expect(rotation.nextAdvance(after: at(1)) == at(2))
    #expect(rotation.advance(to: at(2)) == [.sign(first), .check(first)])
    #expect(rotation.signingKeys.map(\.selector) == [first])
  }

  @Test mutating func aSuccessorTakesOverWithoutAGap() {
    bringFirstToSigning()
    rotation.recordSeen(first, at: at(150))
    #expect(rotation.advance(to: at(150)) == [])
    rotation.recordSeen(first, at: at(151))
    #expect(rotation.advance(to: at(151)) == [.make(.rsa, second)])
    add(second, 151)
    rotation.recordSeen(second, at: at(152))
    rotation.recordSeen(first, at: at(180))
    rotation.recordSeen(second, at: at(180))
    #expect(rotation.advance(to: at(180)) == [])
    #expect(rotation.signingKeys.map(\.selector) == [first])
    #expect(rotation.nextAdvance(after: at(180)) == at(181))
    rotation.recordSeen(second, at: at(181))
    #expect(rotation.advance(to: at(181)) == [.retire(first), .sign(second)])
    #expect(rotation.signingKeys.map(\.selector) == [second])
    #expect(rotation.keys.map(\.selector) == [first, second], "mail with the old one is on its way")
    rotation.recordSeen(second, at: at(194))
    #expect(rotation.advance(to: at(194)) == [])
    rotation.recordSeen(second, at: at(195))
    #expect(rotation.advance(to: at(195)) == [.remove(first)])
    #expect(rotation.keys.map(\.selector) == [second])
  }

  @Test mutating func aKeyGoesOnSigningUntilItsSuccessorIsReady() {
    bringFirstToSigning()
    add(second, 151)
    rotation.recordSeen(first, at: at(400))
    #expect(rotation.advance(to: at(400)) == [.check(second)])
    #expect(rotation.signingKeys.map(\.selector) == [first])
  }

  @Test mutating func aKeyWhoseRecordIsGoneSignsNoMore() {
    bringFirstToSigning()
    #expect(rotation.recordMissing(first, at: at(10)) == [.retire(first)])
    #expect(rotation.signingKeys == [])
    #expect(rotation.advance(to: at(11)) == [.check(first)], "no second key is made: this one may come back")
    rotation.recordSeen(first, at: at(11))
    #expect(rotation.advance(to: at(12)) == [.sign(first), .check(first)])
  }

  @Test mutating func anAlgorithmThatIsGivenUpIsRetired() {
    bringFirstToSigning()
    rotation = KeyRotation(domain: domain, algorithms: [.ed25519], keys: rotation.keys)
    #expect(
      rotation.advance(to: at(20)) == [.retire(first), .make(.ed25519, Self.selector("202612-ed25519"))])
    #expect(rotation.advance(to: at(34)).contains(.remove(first)))
  }

  @Test mutating func bothAlgorithmsSignSideBySide() {
    rotation = KeyRotation(domain: domain)
    for case .make(let algorithm, let selector) in rotation.advance(to: at(0)) {
      rotation.add(DKIMKey(selector: selector, algorithm: algorithm, made: at(0)))
      rotation.recordSeen(selector, at: at(0))
    }
    _ = rotation.advance(to: at(1))
    #expect(rotation.signingKeys.map(\.selector.text) == ["202611-rsa", "202611-ed25519"])
  }
}
