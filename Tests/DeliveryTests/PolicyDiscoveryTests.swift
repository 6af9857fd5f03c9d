import Bytes
import Cryptography
import DNS
import HTTPSClient
import Logging
import MessageFormat
import Networking
import Synchronization
import TestSupport
import Testing

@testable import Delivery

private let domain = DomainName("example.test")!
private let good = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 604800\r\n"

/// Keeps policies in memory.
private final class MemoryKeeper: PolicyKeeping {
  private let policies = Mutex<[DomainName: KeptPolicy]>([:])
  func policy(of domain: DomainName) async -> KeptPolicy? { policies.withLock { $0[domain] } }
  func keep(_ policy: KeptPolicy, of domain: DomainName) async { policies.withLock { $0[domain] = policy } }
}

/// Answers with what it was told, and counts.
private final class ScriptedSource: PolicyFetching {
  private let state: Mutex<(answer: Result<String, PolicyFetchError>, count: Int)>
  init(_ answer: Result<String, PolicyFetchError>) { state = Mutex((answer, 0)) }
  var count: Int { state.withLock { $0.count } }
  func answer(_ answer: Result<String, PolicyFetchError>) { state.withLock { $0.answer = answer } }
  func policyText(of domain: DomainName) async throws(PolicyFetchError) -> [UInt8] {
    let answer = state.withLock { state in
      state.count += 1
      return state.answer
    }
    return Array(try answer.get().utf8)
  }
}

@Suite struct PolicyDiscoveryTests {
  private let clock = FakeClock()
  private let resolver = FakeResolver(["_mta-sts.example.test": [.txt("v=STSv1; id=1;")]])

  private func discovery(_ source: ScriptedSource) -> PolicyDiscovery {
    PolicyDiscovery(resolver: resolver, source: source, keeper: MemoryKeeper(), clock: clock.wallClock)
  }

  private func pass(_ duration: Duration) { clock.move(to: clock.now.advanced(by: duration)) }

  @Test func aPolicyIsFetchedOnceAndHolds() async {
    let source = ScriptedSource(.success(good))
    let discovery = discovery(source)
    for _ in 0..<3 { #expect(await discovery.policy(of: domain).kept?.policy.mode == .enforce) }
    #expect(source.count == 1)

    // Whoever hides the record or the host hides nothing.
    resolver.remove("_mta-sts.example.test")
    source.answer(.failure(PolicyFetchError("connection refused")))
    pass(.seconds(86_400 * 6))
    #expect(await discovery.policy(of: domain).kept != nil)
    pass(.seconds(86_400))
    #expect(await discovery.policy(of: domain).kept == nil)
  }

  @Test func aNewIDIsANewPolicy() async {
    let source = ScriptedSource(.success(good))
    let discovery = discovery(source)
    _ = await discovery.policy(of: domain)
    resolver.set("_mta-sts.example.test", [.txt("v=STSv1; id=2;")])
    source.answer(.success(good.replacing("enforce", with: "testing")))
    let finding = await discovery.policy(of: domain)
    #expect(finding.kept?.id == "2" && finding.kept?.policy.mode == .testing && source.count == 2)
  }

  @Test func aFetchThatFailsIsNotRepeatedForFiveMinutes() async {
    let source = ScriptedSource(.failure(PolicyFetchError("connection refused")))
    let discovery = discovery(source)
    for _ in 0..<3 {
      let finding = await discovery.policy(of: domain)
      #expect(finding.kept == nil && finding.problem?.kind == .policyFetchError)
    }
    #expect(source.count == 1)
    pass(.seconds(300))
    source.answer(.success("nonsense"))
    #expect(await discovery.policy(of: domain).problem?.kind == .policyInvalid)
    #expect(source.count == 2)
    pass(.seconds(300))
    source.answer(.success(good))
    let finding = await discovery.policy(of: domain)
    #expect(finding.kept != nil && finding.problem == nil)
  }

  @Test func withoutARecordNothingIsFetched() async {
    let source = ScriptedSource(.success(good))
    let nobody = await discovery(source).policy(of: DomainName("other.test")!)
    #expect(nobody == PolicyDiscovery.Finding(kept: nil) && source.count == 0)
  }
}

private let authority = try! CertificateAuthority(name: "Martlet HTTPS test CA")

/// A server that answers every request with the same octets.
private func serve(_ reply: String, names: [String] = ["mta-sts.example.test"]) async throws -> Listener {
  let context = try TLSServerContext(certificates: [try authority.issue(names: names)])
  return try await Listener.start(
    ListenerConfiguration(endpoint: .internet(host: "127.0.0.1", port: 0), security: .implicitTLS(context)),
    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  ) { connection in
    while true {
      switch connection.received.takeLine(limit: 8_192, ending: .crlf) {
      case .line(let line) where line.isEmpty:
        try? await connection.send(Array(reply.utf8))
        return
      case .line: continue
      case .tooLong: return
      case .needsMore: guard case .bytes = await connection.waitForInput(timeout: .seconds(10)) else { return }
      }
    }
  }
}

private func reply(_ status: String, _ headers: String, _ body: String) -> String {
  "HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
}

/// Over a real connection.
@Suite struct HTTPSPolicySourceTests {
  private func fetch(from listener: Listener, change: (inout HTTPSSettings) -> Void = { _ in }) async -> Result<
    [UInt8], PolicyFetchError
  > {
    var settings = HTTPSSettings()
    settings.authorities = authority.certificate
    settings.timeLimit = .seconds(10)
    change(&settings)
    let source = HTTPSPolicySource(
      client: HTTPSClient(settings), resolver: FakeResolver(["mta-sts.example.test": [.a("127.0.0.1")]]),
      port: listener.port)
    let result: Result<[UInt8], PolicyFetchError>
    do throws(PolicyFetchError) {
      result = .success(try await source.policyText(of: domain))
    } catch {
      result = .failure(error)
    }
    await listener.drain(within: .seconds(10))
    return result
  }

  @Test func aPolicyComes() async throws {
    let listener = try await serve(reply("200 OK", "Content-Type: Text/Plain; charset=utf-8\r\n", good))
    #expect(try await fetch(from: listener).get() == Array(good.utf8))
  }

  @Test(arguments: [
    (reply("301 Moved", "Location: https://other.test/\r\n", ""), "status 301"),
    (reply("404 Not Found", "", ""), "status 404"),
    (reply("200 OK", "Content-Type: text/html\r\n", good), "text/plain"),
    (reply("200 OK", "Content-Type: text/plain\r\n", String(repeating: "x", count: 65_537)), "too large"),
    ("nonsense\r\n\r\n", "cannot be reached"),
  ])
  func whatIsNoPolicyIsRefused(reply: String, words: String) async throws {
    let listener = try await serve(reply)
    guard case .failure(let error) = await fetch(from: listener) else {
      Issue.record("it was taken")
      return
    }
    #expect(error.description.contains(words), "\(error)")
  }

  @Test func strangersAreNotBelieved() async throws {
    let whole = reply("200 OK", "Content-Type: text/plain\r\n", good)
    let wrongName = await fetch(from: try await serve(whole, names: ["other.test"]))
    let unknown = await fetch(from: try await serve(whole)) { $0.authorities = nil }
    for result in [wrongName, unknown] {
      #expect {
        _ = try result.get()
      } throws: { "\($0)".contains("certificate is not good enough") }
    }
  }

  @Test func aServerThatSaysNothingCostsItsTime() async throws {
    // It takes the first packet of the handshake for plaintext and never answers.
    let listener = try await Listener.start(
      ListenerConfiguration(endpoint: .internet(host: "127.0.0.1", port: 0), security: .plaintext),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { connection in
      while case .bytes = await connection.waitForInput(timeout: .seconds(10)) {}
    }
    let result = await fetch(from: listener) { $0.timeLimit = .milliseconds(200) }
    #expect {
      _ = try result.get()
    } throws: { "\($0)".contains("did not answer in time") }
  }
}
