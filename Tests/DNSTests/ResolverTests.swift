import Foundation
import Networking
import Testing

@testable import DNS

private func name(_ text: String) -> DomainName { DomainName(text)! }

/// Against a real name server with really signed zones, where its packages are installed (`Deploy/test` sees to it).
@Suite(.serialized, .enabled(if: SignedZones.isPossible, "nsd and ldnsutils are not installed"))
struct ResolverTests {
  private func withResolver(
    anchors: Bool = true, change: (inout ResolverSettings) -> Void = { _ in },
    _ body: (Resolver) async throws -> Void
  ) async throws {
    let zones = try SignedZones()
    defer { zones.stop() }
    var settings = ResolverSettings(upstream: .recursion)
    settings.trustAnchorFile = nil
    settings.trustAnchors = anchors ? [zones.trustAnchor] : []
    settings.stubs = ["example", "insecure.example", "expired.example"].map {
      ResolverSettings.Stub(zone: name($0), server: zones.address)
    }
    settings.timeLimit = .seconds(20)
    change(&settings)
    let resolver = try Resolver(settings)
    do { try await body(resolver) } catch {
      await resolver.close()
      throw error
    }
    await resolver.close()
  }

  @Test func signedRecordsAreSecure() async throws {
    try await withResolver { resolver in
      let v4 = try await resolver.records(IPv4Record.self, at: name("secure.example"))
      #expect(v4.records.map(\.address.description) == ["192.0.2.1"])
      #expect(v4.isSecure && v4.name.text == "secure.example" && v4.timeToLive == 300)
      let v6 = try await resolver.records(IPv6Record.self, at: name("secure.example"))
      #expect(v6.records.map(\.address.description) == ["2001:db8::1"] && v6.isSecure)
      let mx = try await resolver.records(MailExchangerRecord.self, at: name("secure.example"))
      #expect(mx.records.map(\.host.text) == ["secure.example"] && mx.isSecure)
      let text = try await resolver.records(TextRecord.self, at: name("text.example"))
      #expect(text.records.map(\.text) == [Array("one text".utf8)] && text.isSecure)
      let tlsa = try await resolver.records(TLSARecord.self, at: name("_25._tcp.secure.example"))
      #expect(tlsa.records.first?.usage == 3 && tlsa.isSecure)
    }
  }

  @Test func withoutATrustAnchorNothingIsSecure() async throws {
    try await withResolver(anchors: false) { resolver in
      let answer = try await resolver.records(IPv4Record.self, at: name("secure.example"))
      #expect(answer.records.count == 1 && !answer.isSecure)
      // Nobody looks at the signatures then.
      #expect(try await resolver.records(IPv4Record.self, at: name("tampered.example")).records.count == 1)
    }
  }

  @Test func aZoneWithoutSignaturesIsInsecure() async throws {
    try await withResolver { resolver in
      let answer = try await resolver.records(IPv4Record.self, at: name("host.insecure.example"))
      #expect(answer.records.map(\.address.description) == ["192.0.2.2"] && !answer.isSecure)
      let missing = try await resolver.records(TLSARecord.self, at: name("_25._tcp.host.insecure.example"))
      #expect(missing.content == .noSuchName && !missing.isSecure)
    }
  }

  @Test func whatWasChangedIsBogus() async throws {
    try await withResolver { resolver in
      for host in ["tampered.example", "host.expired.example"] {
        do throws(ResolutionError) {
          _ = try await resolver.records(IPv4Record.self, at: name(host))
          Issue.record("\(host) was believed")
        } catch {
          guard case .bogus(let reason) = error else {
            Issue.record("\(host): \(error)")
            continue
          }
          #expect(reason.contains(host), "the reason names it: \(reason)")
          if host.contains("expired") { #expect(reason.contains("expired"), "\(reason)") }
        }
      }
    }
  }

  @Test func denialsAreProven() async throws {
    try await withResolver { resolver in
      let noName = try await resolver.records(IPv4Record.self, at: name("missing.example"))
      #expect(noName.content == .noSuchName && noName.isSecure && noName.records.isEmpty)
      let noData = try await resolver.records(MailExchangerRecord.self, at: name("text.example"))
      #expect(noData.content == .noData && noData.isSecure)
    }
  }

  @Test func aliasesAreFollowed() async throws {
    try await withResolver { resolver in
      let near = try await resolver.records(IPv4Record.self, at: name("alias.example"))
      #expect(near.name.text == "secure.example" && near.isSecure && near.records.count == 1)
      let away = try await resolver.records(IPv4Record.self, at: name("away.example"))
      #expect(away.name.text == "host.insecure.example" && !away.isSecure && away.records.count == 1)
      let alias = try await resolver.records(AliasRecord.self, at: name("away.example"))
      #expect(alias.isSecure && alias.records.map(\.name.text) == ["host.insecure.example"])
      let nowhere = try await resolver.records(IPv4Record.self, at: name("nowhere.example"))
      #expect(nowhere.content == .noSuchName)
    }
  }

  @Test func aThousandRecordsComeOverTCP() async throws {
    try await withResolver { resolver in
      let answer = try await resolver.records(MailExchangerRecord.self, at: name("many.example"))
      #expect(answer.records.count == 1_000 && answer.isSecure)
    }
  }

  @Test func manyQuestionsAtOnce() async throws {
    try await withResolver { resolver in
      let secure = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<200 {
          group.addTask {
            let answer = try? await resolver.records(IPv4Record.self, at: name("missing\(number).example"))
            return answer?.content == .noSuchName && answer?.isSecure == true
          }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(secure == 200)
    }
  }

  /// A socket that takes questions and never answers.
  private func withSilence(_ body: (String) async throws -> Void) async throws {
    let port = try SignedZones.freePort()
    let silent = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(silent) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(silent, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(bound == 0)
    try await body("127.0.0.1@\(port)")
  }

  @Test(.timeLimit(.minutes(1))) func silenceEndsInTime() async throws {
    try await withSilence { server in
      try await withResolver(change: {
        $0.stubs = [ResolverSettings.Stub(zone: name("example"), server: server)]
        $0.timeLimit = .milliseconds(300)
        $0.mostQuestions = 2
      }) { resolver in
        await #expect(throws: ResolutionError.timedOut) {
          _ = try await resolver.records(IPv4Record.self, at: name("secure.example"))
        }
      }
    }
  }

  @Test func cancellingAndClosingEndTheWait() async throws {
    try await withSilence { server in
      try await withResolver(change: {
        $0.stubs = [ResolverSettings.Stub(zone: name("example"), server: server)]
        $0.mostQuestions = 2
      }) { resolver in
        let cancelled = Task { try await resolver.records(IPv4Record.self, at: name("a.example")) }
        cancelled.cancel()
        await #expect(throws: ResolutionError.cancelled) { _ = try await cancelled.value }

        // The third is one too many; the group cancels the others.
        await #expect(throws: ResolutionError.busy) {
          try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
              group.addTask { _ = try await resolver.records(IPv4Record.self, at: name("b\(number).example")) }
            }
            _ = try await group.next()
          }
        }
      }
      try await withResolver(change: {
        $0.stubs = [ResolverSettings.Stub(zone: name("example"), server: server)]
      }) { resolver in
        let waiting = Task { try await resolver.records(IPv4Record.self, at: name("d.example")) }
        while resolver.openQuestions == 0 { await Task.yield() }
        await resolver.close()
        await #expect(throws: ResolutionError.closed) { _ = try await waiting.value }
        await #expect(throws: ResolutionError.closed) {
          _ = try await resolver.records(IPv4Record.self, at: name("c.example"))
        }
      }
    }
  }

  @Test func settingsThatCannotWorkAreNamed() async throws {
    var settings = ResolverSettings(upstream: .forwarders(["not an address"]))
    settings.trustAnchorFile = nil
    #expect(throws: ResolverSetupError.self) { _ = try Resolver(settings) }
    settings = ResolverSettings(upstream: .forwarders([]))
    #expect(throws: ResolverSetupError.self) { _ = try Resolver(settings) }
    settings = ResolverSettings(upstream: .recursion)
    settings.trustAnchorFile = "/nonexistent/root.key"
    #expect {
      _ = try Resolver(settings)
    } throws: { ($0 as? ResolverSetupError)?.description.contains("dns-root-data") == true }
  }
}
