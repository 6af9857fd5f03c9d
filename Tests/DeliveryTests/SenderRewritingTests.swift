import Delivery
import MessageFormat
import Testing

private let now = Timestamp(seconds: 1_768_478_400)
private let scheme = SenderRewriting(domain: Domain("forward.test")!, secrets: [Array("tops3cr3t".utf8)])

private func address(_ text: String) -> EmailAddress { EmailAddress(text)! }

@Suite struct SenderRewritingTests {
  @Test(arguments: [
    "alice@example.test", "a=b=c@example.test", "\"odd one\"@example.test", "Alice+tag@sub.example.test",
    "srs0@example.test", "SRS0@example.test",
  ]) func aBounceFindsItsWayBack(_ sender: String) throws {
    let rewritten = try #require(scheme.rewrite(address(sender), at: now))
    #expect(rewritten.domain.text == "forward.test" && rewritten.localPart.hasPrefix("SRS0="))
    #expect(try scheme.original(of: rewritten, at: now.advanced(by: .seconds(86_400 * 21))) == address(sender))
    // Servers on the way may have changed the case.
    let shouted = EmailAddress(localPart: rewritten.localPart.uppercased(), domain: rewritten.domain)
    #expect(try scheme.original(of: shouted, at: now)?.lookupKey == address(sender).lookupKey)
  }

  /// Made with libsrs2's algorithm: HMAC-SHA1 over stamp, domain and local part in lower case, four characters of it.
  @Test func theFormIsThatOfOthers() {
    #expect(
      scheme.rewrite(address("alice@example.test"), at: now)?.description
        == "SRS0=GvOV=7U=example.test=alice@forward.test")
  }

  @Test func aSecondServerIsSkippedByTheThird() throws {
    let second = SenderRewriting(domain: Domain("second.test")!, secrets: [Array("other".utf8)])
    let third = SenderRewriting(domain: Domain("third.test")!, secrets: [Array("third".utf8)])
    let first = try #require(scheme.rewrite(address("alice@example.test"), at: now))
    let again = try #require(second.rewrite(first, at: now))
    #expect(again.localPart.hasPrefix("SRS1=") && again.localPart.contains("=forward.test=="))
    let once = try #require(third.rewrite(again, at: now))
    #expect(once.localPart.hasPrefix("SRS1=") && once.localPart.contains("=forward.test=="))
    #expect(try third.original(of: once, at: now) == first)
    #expect(try second.original(of: again, at: now) == first)
    #expect(try scheme.original(of: first, at: now) == address("alice@example.test"))
  }

  @Test(arguments: [
    ("SRS0=xxxx=AA=example.test=alice", SenderRewriting.Failure.forged),
    ("SRS0=xxxx=example.test=alice", .malformed), ("SRS0==", .malformed), ("SRS0=a=b=c=", .malformed),
    ("SRS1=xxxx=example.test==xxxx=AA=example.test=alice", .forged), ("SRS1=xxxx", .malformed),
    ("SRS0=xxxx=AA=..=alice", .malformed),
  ]) func whatIsNotOursIsRefused(_ local: String, _ failure: SenderRewriting.Failure) {
    #expect(throws: failure) {
      _ = try scheme.original(of: EmailAddress(localPart: local, domain: Domain("forward.test")!), at: now)
    }
  }

  @Test func anOldAddressDies() throws {
    let rewritten = try #require(scheme.rewrite(address("alice@example.test"), at: now))
    #expect(throws: SenderRewriting.Failure.expired) {
      _ = try scheme.original(of: rewritten, at: now.advanced(by: .seconds(86_400 * 22)))
    }
    // Our clock is a day behind, and one that is farther behind.
    #expect(try scheme.original(of: rewritten, at: now.advanced(by: .seconds(-86_400))) != nil)
    #expect(throws: SenderRewriting.Failure.expired) {
      _ = try scheme.original(of: rewritten, at: now.advanced(by: .seconds(-86_400 * 3)))
    }
  }

  @Test func anOldSecretIsStillKnown() throws {
    let rewritten = try #require(scheme.rewrite(address("alice@example.test"), at: now))
    let renewed = SenderRewriting(
      domain: Domain("forward.test")!, secrets: [Array("new".utf8), Array("tops3cr3t".utf8)])
    #expect(try renewed.original(of: rewritten, at: now) == address("alice@example.test"))
    let forgetful = SenderRewriting(domain: Domain("forward.test")!, secrets: [Array("new".utf8)])
    #expect(throws: SenderRewriting.Failure.forged) { _ = try forgetful.original(of: rewritten, at: now) }
  }

  @Test func othersAreLeftAlone() throws {
    #expect(try scheme.original(of: address("bob@forward.test"), at: now) == nil)
    #expect(try scheme.original(of: address("SRS0=a=b=c=d@other.test"), at: now) == nil)
    #expect(scheme.rewrite(address("bob@forward.test"), at: now) == address("bob@forward.test"))
    #expect(scheme.rewrite(address(String(repeating: "x", count: 250) + "@example.test"), at: now) == nil)
  }
}
