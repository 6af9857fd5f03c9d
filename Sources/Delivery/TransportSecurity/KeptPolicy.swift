package import DNS
package import MessageFormat

/// A policy that was fetched once and holds until its time is over: the reason why nobody who can hide DNS records can
/// hide the policy.  RFC 8461 §3.3.
package struct KeptPolicy: Hashable, Sendable {
  /// Of the record that led to it.
  package let id: String
  /// As it was fetched; what a store keeps beside `id` and `fetched`.
  package let text: [UInt8]
  package let fetched: Timestamp
  package let policy: MTASTSPolicy

  package init(id: String, text: [UInt8], fetched: Timestamp) throws(MTASTSPolicyError) {
    self.id = id
    self.text = text
    self.fetched = fetched
    policy = try MTASTSPolicy(parsing: text)
  }

  package func isValid(at now: Timestamp) -> Bool {
    now < fetched.advanced(by: .seconds(policy.maximumAge))
  }

  /// RFC 8461 §10.2: it is fetched again well before it ends, so that an attacker cannot wait for that.
  func isStale(at now: Timestamp) -> Bool {
    now >= fetched.advanced(by: .seconds(min(86_400, policy.maximumAge / 2)))
  }
}

/// Where policies are kept. The store does it in the server.
package protocol PolicyKeeping: Sendable {
  func policy(of domain: DomainName) async -> KeptPolicy?
  /// In place of the one before.
  func keep(_ policy: KeptPolicy, of domain: DomainName) async
}

/// A fetch that led to nothing.
package struct FailedFetch: Hashable, Sendable {
  package let id: String
  package let time: Timestamp

  /// RFC 8461 §3.3: five minutes at least.
  static let pause = Duration.seconds(300)

  package init(id: String, time: Timestamp) {
    self.id = id
    self.time = time
  }
}

/// What is to be done about the policy of a domain.
package enum PolicyStep: Hashable, Sendable {
  case use(KeptPolicy)
  /// If that fails, the one that is kept still counts until its time is over.
  case fetch(id: String)
  case noPolicy

  /// What DNS says of a domain's policy.
  package enum Announcement: Hashable, Sendable {
    case policy(id: String)
    case none
    /// DNS did not answer.
    case unknown
  }

  package static func next(
    kept: KeptPolicy?, announced: Announcement, failed: FailedFetch?, now: Timestamp
  ) -> PolicyStep {
    let valid = kept.flatMap { $0.isValid(at: now) ? $0 : nil }
    let without: PolicyStep = valid.map { .use($0) } ?? .noPolicy
    guard case .policy(let id) = announced else { return without }
    if let valid, valid.id == id, !valid.isStale(at: now) { return without }
    if let failed, failed.id == id, now < failed.time.advanced(by: FailedFetch.pause) { return without }
    return .fetch(id: id)
  }
}
