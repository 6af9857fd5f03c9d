import DNS
import MessageFormat
import Networking
import TestSupport
import Testing

@testable import Delivery

/// Always the same, so that a shuffle is.
private struct Steady: RandomNumberGenerator {
  var state: UInt64 = 7
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state
  }
}

private func route(
  _ domain: String, _ resolver: FakeResolver, own: Set<String> = [], seed: UInt64 = 7
) async throws -> MailRoute {
  var generator = Steady(state: seed)
  let lookup = ExchangerLookup(resolver: resolver, ownNames: Set(own.compactMap { DomainName($0) }))
  return try await lookup.route(for: try #require(Domain(domain)), using: &generator)
}

private func names(_ route: MailRoute) -> [String]? {
  if case .hosts(let hosts) = route { hosts.names.map(\.text) } else { nil }
}

@Suite struct ExchangerLookupTests {
  @Test func theLowestPreferenceComesFirst() async throws {
    let resolver = FakeResolver(["a.test": [.mx(20, "second.test"), .mx(10, "first.test"), .mx(30, "third.test")]])
    let route = try await route("a.test", resolver)
    #expect(names(route) == ["first.test", "second.test", "third.test"])
    guard case .hosts(let hosts) = route else { return }
    #expect(hosts.security == .secure && !hosts.isImplicit)
  }

  @Test func equalsTakeTurns() async throws {
    let resolver = FakeResolver(["a.test": [.mx(10, "x.test"), .mx(10, "y.test"), .mx(20, "z.test")]])
    var firsts: Set<String> = []
    for seed in 0..<32 {
      let order = try #require(names(try await route("a.test", resolver, seed: UInt64(seed) &* 7_777_777_777_777)))
      #expect(order.count == 3 && order[2] == "z.test")
      firsts.insert(order[0])
    }
    #expect(firsts == ["x.test", "y.test"])
  }

  @Test func aThousandHostsAreTenAndTheBest() async throws {
    let resolver = FakeResolver([
      "a.test": (0..<1_000).map { .mx(UInt16(1_000 - $0), "mx\($0 % 500).test") }
    ])
    #expect(names(try await route("a.test", resolver)) == (490..<500).reversed().map { "mx\($0).test" })
  }

  @Test func aDomainWithoutExchangersIsItsOwn() async throws {
    let resolver = FakeResolver(["a.test": [.a("192.0.2.1")], "alias.test": [.cname("a.test")]])
    for domain in ["a.test", "alias.test"] {
      let route = try await route(domain, resolver)
      #expect(names(route) == ["a.test"])
      guard case .hosts(let hosts) = route else { return }
      #expect(hosts.isImplicit)
      #expect(hosts.domainNames.map(\.text) == (domain == "a.test" ? ["a.test"] : ["alias.test", "a.test"]))
    }
  }

  @Test func whatTakesNoMail() async throws {
    let resolver = FakeResolver([
      "null.test": [.mx(0, ".")], "own.test": [.mx(10, "us.test"), .mx(20, "backup.test")],
      "us.test": [.a("192.0.2.9")],
      "mixed.test": [.mx(0, "."), .mx(10, "real.test")], "nulls.test": [.mx(0, "."), .mx(1, ".")],
    ])
    #expect(try await route("null.test", resolver) == .nullMX)
    #expect(try await route("missing.test", resolver) == .noSuchDomain)
    #expect(try await route("nulls.test", resolver) == .noHosts)
    #expect(names(try await route("mixed.test", resolver)) == ["real.test"])
    #expect(try await route("own.test", resolver, own: ["us.test"]) == .leadsBack)
    #expect(try await route("us.test", resolver, own: ["us.test"]) == .leadsBack)
    #expect(names(try await route("own.test", resolver, own: ["backup.test"])) == ["us.test"])
  }

  @Test func literalsAndInternationalDomains() async throws {
    let resolver = FakeResolver(["xn--bcher-kva.test": [.mx(1, "mx.test")]])
    #expect(try await route("[192.0.2.1]", resolver) == .address(try #require(IPAddress("192.0.2.1"))))
    #expect(try await route("[IPv6:2001:db8::1]", resolver) == .address(try #require(IPAddress("2001:db8::1"))))
    #expect(names(try await route("bücher.test", resolver)) == ["mx.test"])
  }

  @Test func failuresAreFailures() async throws {
    let resolver = FakeResolver(["a.test": [.mx(1, "mx.test")]])
    resolver.fail("a.test", .mx, .failed("SERVFAIL"))
    await #expect(throws: ResolutionError.failed("SERVFAIL")) { _ = try await route("a.test", resolver) }
  }

  private func addresses(_ host: String, _ resolver: FakeResolver) async throws -> HostAddresses {
    try await ExchangerLookup(resolver: resolver).addresses(of: try #require(DomainName(host)))
  }

  @Test func addressesComeByTurns() async throws {
    let resolver = FakeResolver([
      "mx.test": [.a("192.0.2.1"), .a("192.0.2.2"), .aaaa("2001:db8::1"), .aaaa("2001:db8::2"), .aaaa("2001:db8::3")]
    ])
    let found = try await addresses("mx.test", resolver)
    #expect(
      found.addresses.map(\.description)
        == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"])
    #expect(found.tlsaBases.map(\.text) == ["mx.test"])
  }

  @Test func oneFamilyIsEnough() async throws {
    let resolver = FakeResolver(["mx.test": [.a("192.0.2.1")], "none.test": []])
    resolver.fail("mx.test", .aaaa, .timedOut)
    #expect(try await addresses("mx.test", resolver).addresses.count == 1)
    #expect(try await addresses("none.test", resolver).addresses.isEmpty)
    #expect(try await addresses("missing.test", resolver).addresses.isEmpty)
    resolver.fail("none.test", .a, .timedOut)
    await #expect(throws: ResolutionError.timedOut) { _ = try await addresses("none.test", resolver) }
  }

  /// RFC 7672 §2.2.
  @Test func whereTLSARecordsCount() async throws {
    let resolver = FakeResolver([
      "signed.test": [.a("192.0.2.1")], "unsigned.test": [.a("192.0.2.2")], "alias.test": [.cname("signed.test")],
      "away.test": [.cname("unsigned.test")], "weak.test": [.cname("signed.test")],
    ])
    resolver.setInsecure("unsigned.test", "weak.test")
    for (host, bases) in [
      ("signed.test", ["signed.test"]), ("unsigned.test", []), ("alias.test", ["signed.test", "alias.test"]),
      ("away.test", ["away.test"]), ("weak.test", []),
    ] {
      #expect(try await addresses(host, resolver).tlsaBases.map(\.text) == bases, "\(host)")
    }
  }
}
