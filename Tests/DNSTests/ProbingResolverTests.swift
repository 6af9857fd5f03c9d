import DNS
import MessageFormat
import Synchronization
import Testing

@Suite struct ProbingResolverTests {
  @Test("where signatures do not come through, names are found all the same, and somebody is told once")
  func hiddenSignatures() async throws {
    let reports = Mutex(0)
    let resolver = ProbingResolver(
      validating: Scripted(root: .failure(.bogus("no signatures"))), plain: { Scripted(root: .success(.insecure)) },
      report: { reports.withLock { $0 += 1 } })
    for _ in 0..<3 { #expect(try await resolver.lookUp(try name("example.org"), .mx).security == .insecure) }
    #expect(reports.withLock { $0 } == 1)
  }

  @Test("once validation has worked it is not given up")
  func neverGivenUp() async throws {
    let validating = Scripted(root: .success(.secure))
    let resolver = ProbingResolver(validating: validating, plain: { nil }, report: { Issue.record("given up") })
    #expect(try await resolver.lookUp(try name("example.org"), .mx).security == .secure)
    validating.set(.failure(.bogus("forged")))
    await #expect(throws: ResolutionError.self) { _ = try await resolver.lookUp(try name("example.org"), .mx) }
  }

  @Test("while nobody answers nothing is decided")
  func silence() async throws {
    let validating = Scripted(root: .failure(.timedOut))
    let resolver = ProbingResolver(validating: validating, plain: { nil }, report: { Issue.record("given up") })
    await #expect(throws: ResolutionError.self) { _ = try await resolver.lookUp(try name("example.org"), .mx) }
    validating.set(.success(.secure))
    #expect(try await resolver.lookUp(try name("example.org"), .mx).security == .secure)
  }

  private func name(_ text: String) throws -> DomainName { try #require(DomainName(text)) }

  /// Says the same of every name.
  private final class Scripted: Resolving {
    private let said: Mutex<Result<Security, ResolutionError>>
    init(root: Result<Security, ResolutionError>) { said = Mutex(root) }
    func set(_ result: Result<Security, ResolutionError>) { said.withLock { $0 = result } }

    func lookUp(_ name: DomainName, _ type: RecordType) async throws(ResolutionError) -> RawAnswer {
      RawAnswer(name: name, content: .noData, security: try said.withLock { $0 }.get(), timeToLive: 60)
    }
  }
}
