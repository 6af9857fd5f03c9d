package import DNS
package import Networking

/// What came of TLS with one domain's servers in one day, counted as a report tells it.  RFC 8460 §4.
///
/// A domain may have as many hosts and policies as it likes, and others every minute. So there is a bound on what is
/// told apart; the rest is counted by its kind alone.
package struct TLSTally: Hashable, Sendable {
  /// What sessions that failed have in common.
  package struct Failure: Hashable, Sendable {
    package var kind: TLSFailure.Kind
    package var host: DomainName?
    package var hostAddress: IPAddress?
    package var ownAddress: IPAddress?
    /// Empty where there is nothing to say.
    package var reason: String
  }

  /// Sessions under one policy.
  package struct Entry: Hashable, Sendable {
    package var policy: TLSResult.Policy
    package var successes = 0
    package var failures: [Failure: Int] = [:]
    package var failed: Int { failures.values.reduce(0, +) }
  }

  static let mostPolicies = 20
  static let mostFailures = 100
  /// TLSA records, lines or patterns of one policy, and characters in each.
  static let mostStrings = 50
  static let longestString = 500

  /// Whose mail it was.
  package let domain: DomainName
  package private(set) var entries: [Entry] = []

  package init(domain: DomainName) { self.domain = domain }

  package mutating func count(_ result: TLSResult, times: Int = 1) {
    let position = position(of: result.policy)
    guard let failure = result.failure else {
      entries[position].successes += times
      return
    }
    count(
      Failure(
        kind: failure.kind, host: result.host, hostAddress: result.hostAddress, ownAddress: result.ownAddress,
        reason: failure.description.singleLine(upTo: Self.longestString)), times, at: position)
  }

  package mutating func merge(_ other: TLSTally) {
    for entry in other.entries {
      let position = position(of: entry.policy)
      entries[position].successes += entry.successes
      for (failure, times) in entry.failures { count(failure, times, at: position) }
    }
  }

  private mutating func count(_ failure: Failure, _ times: Int, at position: Int) {
    var counted = failure
    if entries[position].failures[failure] == nil,
      entries.reduce(0, { $0 + $1.failures.count }) >= Self.mostFailures
    {
      counted = Failure(kind: failure.kind, host: nil, hostAddress: nil, ownAddress: nil, reason: "")
    }
    entries[position].failures[counted, default: 0] += times
  }

  /// The place of its entry, made where there is none.
  private mutating func position(of policy: TLSResult.Policy) -> Int {
    var policy = policy
    policy.strings = Self.cut(policy.strings)
    policy.hostPatterns = Self.cut(policy.hostPatterns)
    if let known = entries.firstIndex(where: { $0.policy == policy }) { return known }
    if entries.count >= Self.mostPolicies {
      policy = TLSResult.Policy(kind: policy.kind, domain: domain)
      if let known = entries.firstIndex(where: { $0.policy == policy }) { return known }
    }
    entries.append(Entry(policy: policy))
    return entries.count - 1
  }

  private static func cut(_ strings: [String]) -> [String] {
    strings.prefix(mostStrings).map { $0.singleLine(upTo: longestString) }
  }
}

// MARK: As it is kept

extension TLSTally {
  /// A line for each policy and, after it, one for each of its failures; fields are separated by tabs, which none of
  /// them has.
  package var encoded: String {
    var lines: [String] = []
    for entry in entries {
      let policy = entry.policy
      lines.append(
        (["policy", policy.kind.rawValue, policy.domain.text, "\(entry.successes)", "\(policy.strings.count)"]
          + policy.strings + policy.hostPatterns).joined(separator: "\t"))
      lines += entry.failures.map { failure, times in
        [
          "failure", failure.kind.rawValue, "\(times)", failure.host?.text ?? "",
          failure.hostAddress?.description ?? "", failure.ownAddress?.description ?? "", failure.reason,
        ].joined(separator: "\t")
      }.sorted()
    }
    return lines.joined(separator: "\n")
  }

  /// Nil where the text was not made by `encoded`.
  package init?(decoding text: String, domain: DomainName) {
    self.init(domain: domain)
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      switch fields[0] {
      case "policy":
        guard let entry = Entry(fields) else { return nil }
        entries.append(entry)
      case "failure":
        guard !entries.isEmpty, fields.count == 7, let kind = TLSFailure.Kind(rawValue: fields[1]),
          let times = Int(fields[2])
        else { return nil }
        let failure = Failure(
          kind: kind, host: DomainName(fields[3]), hostAddress: IPAddress(fields[4]), ownAddress: IPAddress(fields[5]),
          reason: fields[6])
        entries[entries.count - 1].failures[failure] = times
      default: return nil
      }
    }
  }
}

extension TLSTally.Entry {
  fileprivate init?(_ fields: [String]) {
    guard fields.count >= 5, let kind = TLSResult.Policy.Kind(rawValue: fields[1]), let domain = DomainName(fields[2]),
      let successes = Int(fields[3]), let strings = Int(fields[4]), 0...(fields.count - 5) ~= strings
    else { return nil }
    let rest = fields[5...]
    self.init(
      policy: TLSResult.Policy(
        kind: kind, domain: domain, strings: Array(rest.prefix(strings)), hostPatterns: Array(rest.dropFirst(strings))),
      successes: successes)
  }
}
