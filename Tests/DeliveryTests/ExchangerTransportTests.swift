import Cryptography
import DNS
import MessageFormat
import Networking
import SMTP
import SMTPClient
import TestSupport
import Testing

@testable import Delivery

/// What is counted where nobody answers.
@Suite struct ExchangerTransportTests {
  private let resolver = FakeResolver([
    "example.test": [.mx(10, "mx.example.test")], "mx.example.test": [.a("127.0.0.1")],
    "_1._tcp.mx.example.test": [.tlsa(3, 1, 1, [UInt8](repeating: 1, count: 32))],
  ])
  private let counter = TLSResultCounter(clock: FakeClock().wallClock)

  /// Tries all hosts of a destination, at a port where nobody listens.
  private func walk(_ destination: String) async {
    var settings = OutboundSettings(name: "here.test")
    settings.port = 1
    let transport = ExchangerTransport(
      resolver: resolver, ownNames: [], policies: nil, results: counter, settings: settings)
    let way = QueueDestination(text: destination)
    guard
      case .hosts(var walk) = await transport.way(
        to: way.domain ?? "", assurance: way.assurance, tls: .opportunistic)
    else {
      Issue.record("there are no hosts")
      return
    }
    #expect(await walk.next() == nil && walk.lastFailure != nil)
  }

  @Test(arguments: [(ResolutionError.bogus("signature"), 1), (.failed("SERVFAIL"), 1), (.timedOut, 0)])
  func recordsThatCannotBeHadAreCounted(error: ResolutionError, count: Int) async {
    resolver.fail("_1._tcp.mx.example.test", .tlsa, error)
    await walk("example.test")
    let entries = counter.take().tallies.values.flatMap(\.entries)
    #expect(entries.count == count)
    for entry in entries {
      #expect(entry.policy == TLSResult.Policy(kind: .tlsa, domain: DomainName("mx.example.test")!))
      #expect(entry.failures.keys.map(\.kind) == [.dnssecInvalid] && entry.failed == 1)
    }
  }

  @Test func whoCannotBeReachedIsNotCounted() async {
    await walk("example.test")
    #expect(resolver.asked.contains("tlsa _1._tcp.mx.example.test"))
    #expect(counter.take().tallies.isEmpty)
  }

  @Test func reportsAskForNoPolicyAndAreNotCounted() async {
    resolver.fail("_1._tcp.mx.example.test", .tlsa, .bogus("signature"))
    await walk("example.test;tls=any")
    #expect(!resolver.asked.contains { $0.hasPrefix("tlsa") } && resolver.asked.contains("mx example.test"))
    #expect(counter.take().tallies.isEmpty)
  }

  struct Row: CustomTestStringConvertible {
    var failure: HostFailure
    var kind: TLSFailure.Kind?
    var testDescription: String { "\(failure)" }
    init(_ stage: DialogueStage, _ cause: HostFailure.Cause, _ kind: TLSFailure.Kind?) {
      (failure, self.kind) = (HostFailure(stage, cause), kind)
    }
  }

  @Test(arguments: [
    Row(.startTLS, .tlsNotOffered, .startTLSNotSupported),
    Row(.startTLS, .refused(SMTPReply(454, 4, 7, 0, "not now")), .startTLSNotSupported),
    Row(.startTLS, .handshakeFailed("no shared cipher"), .validationFailure),
    Row(.startTLS, .timedOut, nil), Row(.connect, .unreachable("refused"), nil),
    Row(.greeting, .refused(SMTPReply(554, 5, 7, 1, "go away")), nil), Row(.hello, .connectionLost, nil),
  ])
  func onlyTLSIsAFailureOfTLS(_ row: Row) throws {
    let security = HostSecurity(
      .mtaSTS(.enforce), serverName: DomainName("mx.example.test")!,
      policy: TLSResult.Policy(kind: .sts, domain: DomainName("example.test")!), isNameSure: true)
    let context = try security.makeContext()
    #expect(security.failure(of: row.failure, context)?.kind == row.kind)
  }
}
