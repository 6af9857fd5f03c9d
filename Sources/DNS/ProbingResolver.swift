/// Validates where the name servers let it. Many hide the signatures of DNSSEC from their clients, and behind those
/// everything that is signed looks forged: then it asks without believing anything to be signed, which is what a mail
/// server without validation does.
///
/// Once validation has worked it is never given up, so that nobody can take it away by hiding signatures later.
package actor ProbingResolver: Resolving {
  private enum State {
    case unknown
    case validating
    case plain(any Resolving)
  }

  private let validating: any Resolving
  private let makePlain: @Sendable () -> (any Resolving)?
  private let report: @Sendable () -> Void
  private var state = State.unknown
  private var probe: Task<Void, Never>?

  /// - Parameters:
  ///   - plain: makes a resolver that trusts no keys; called at most once.
  ///   - report: is told when signatures do not come through.
  package init(
    validating: any Resolving, plain: @escaping @Sendable () -> (any Resolving)?, report: @escaping @Sendable () -> Void
  ) {
    self.validating = validating
    makePlain = plain
    self.report = report
  }

  package func lookUp(_ name: DomainName, _ type: RecordType) async throws(ResolutionError) -> RawAnswer {
    if case .unknown = state { await look() }
    switch state {
    case .plain(let resolver): return try await resolver.lookUp(name, type)
    case .unknown, .validating: return try await validating.lookUp(name, type)
    }
  }

  /// Everybody knows the root, and it is signed.
  private func look() async {
    if let probe { return await probe.value }
    let task = Task { await decide() }
    probe = task
    await task.value
    probe = nil
  }

  private func decide() async {
    guard let root = DomainName(".") else { return }
    do throws(ResolutionError) {
      if try await validating.records(NameServerRecord.self, at: root).isSecure { state = .validating }
    } catch {
      guard case .bogus = error, let plain = makePlain() else { return }
      state = .plain(plain)
      report()
    }
  }
}
