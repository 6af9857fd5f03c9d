package import DNS
package import MessageFormat

/// Finds the MTA-STS policy of a domain: by DNS, HTTPS and what is kept from earlier.  RFC 8461 §3.
package actor PolicyDiscovery {
  /// What was found, and what went wrong on the way.
  package struct Finding: Hashable, Sendable {
    /// Nil: there is none that counts.
    package var kept: KeptPolicy?
    package var problem: TLSFailure?

    package init(kept: KeptPolicy?, problem: TLSFailure? = nil) {
      self.kept = kept
      self.problem = problem
    }
  }

  /// Domains whose last fetch failed. Beyond it the oldest are forgotten and asked again.
  private static let mostFailures = 1_000

  private let resolver: any Resolving
  private let source: any PolicyFetching
  private let keeper: any PolicyKeeping
  private let clock: WallClock
  private var underWay: [DomainName: Task<Finding, Never>] = [:]
  private var failures: [DomainName: (fetch: FailedFetch, failure: TLSFailure)] = [:]

  package init(
    resolver: any Resolving, source: any PolicyFetching, keeper: any PolicyKeeping, clock: WallClock = .system
  ) {
    self.resolver = resolver
    self.source = source
    self.keeper = keeper
    self.clock = clock
  }

  /// It takes as long as a fetch may take, where one is due. Whoever asks for the same domain meanwhile gets the same
  /// answer.
  package func policy(of domain: DomainName) async -> Finding {
    if let task = underWay[domain] { return await task.value }
    let task = Task { await discover(domain) }
    underWay[domain] = task
    defer { underWay[domain] = nil }
    return await task.value
  }

  private func discover(_ domain: DomainName) async -> Finding {
    let kept = await keeper.policy(of: domain)
    let announced = await announcement(of: domain)
    let step = PolicyStep.next(
      kept: kept, announced: announced, failed: failures[domain]?.fetch, now: clock.now())
    switch step {
    case .use(let kept): return Finding(kept: kept)
    case .noPolicy:
      // One that is announced and cannot be had.
      guard case .policy = announced else { return Finding(kept: nil) }
      return Finding(kept: nil, problem: failures[domain]?.failure)
    case .fetch(let id): return await fetch(domain, id, instead: kept)
    }
  }

  private func announcement(of domain: DomainName) async -> PolicyStep.Announcement {
    guard let name = domain.prefixed(by: "_mta-sts") else { return .none }
    guard let answer = try? await resolver.records(TextRecord.self, at: name) else { return .unknown }
    return MTASTSRecord(answer.records).map { .policy(id: $0.id) } ?? .none
  }

  private func fetch(_ domain: DomainName, _ id: String, instead kept: KeptPolicy?) async -> Finding {
    let failure: TLSFailure
    do throws(PolicyFetchError) {
      let text = try await source.policyText(of: domain)
      do throws(MTASTSPolicyError) {
        let new = try KeptPolicy(id: id, text: text, fetched: clock.now())
        await keeper.keep(new, of: domain)
        failures[domain] = nil
        return Finding(kept: new)
      } catch {
        failure = TLSFailure(.policyInvalid, "the MTA-STS policy of \(domain) is no policy: \(error)")
      }
    } catch {
      failure = TLSFailure(error.isOfCertificate ? .webPKIInvalid : .policyFetchError, error.description)
    }
    note(failure, FailedFetch(id: id, time: clock.now()), of: domain)
    let valid = kept.flatMap { $0.isValid(at: clock.now()) ? $0 : nil }
    return Finding(kept: valid, problem: failure)
  }

  private func note(_ failure: TLSFailure, _ fetch: FailedFetch, of domain: DomainName) {
    if failures.count >= Self.mostFailures {
      let oldest = failures.min { $0.value.fetch.time < $1.value.fetch.time }
      if let oldest { failures[oldest.key] = nil }
    }
    failures[domain] = (fetch, failure)
  }
}
