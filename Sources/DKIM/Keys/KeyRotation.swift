package import Cryptography
package import MessageFormat

/// How long a key is what.
package struct KeyRotationTimes: Hashable, Sendable {
  /// Signs for so long.
  package var signing = Duration.seconds(180 * 86_400)
  /// Its successor is made so long before, for somebody has to publish the record.
  package var overlap = Duration.seconds(30 * 86_400)
  /// A record has to be seen for so long before a key signs: resolvers remember that there was none.  RFC 2308 §5.
  package var settling = Duration.seconds(86_400)
  /// A record stays for so long after the last signature: five days of queue, and mailboxes that verify late.
  package var keeping = Duration.seconds(14 * 86_400)
  /// Between two looks at a record that is there.
  package var checking = Duration.seconds(86_400)
  /// Between two looks at a record that is not.
  package var waiting = Duration.seconds(600)

  package init() {}
}

/// The keys of one domain, and what happens to them as time goes by: event in, action out. Whoever owns it keeps the
/// keys, asks DNS and makes key material.
///
/// A key signs only while its record was there when somebody last looked: better no signature than one that fails.
package struct KeyRotation: Hashable, Sendable {
  package let domain: Domain
  /// In which the domain signs.
  package let algorithms: [SignatureAlgorithm]
  package let times: KeyRotationTimes
  package private(set) var keys: [DKIMKey]

  /// What is to be done.
  package enum Action: Hashable, Sendable {
    /// Make a key, keep it, `add` it, and have its record published.
    case make(SignatureAlgorithm, KeySelector)
    /// Look whether its record is there and right, then call `recordSeen` or `recordMissing`.
    case check(KeySelector)
    /// It signs from now on.
    case sign(KeySelector)
    /// It signs no more.
    case retire(KeySelector)
    /// It is forgotten: destroy its private half and have its record removed.
    case remove(KeySelector)
  }

  package init(
    domain: Domain, algorithms: [SignatureAlgorithm] = [.rsa, .ed25519], times: KeyRotationTimes = KeyRotationTimes(),
    keys: [DKIMKey] = []
  ) {
    self.domain = domain
    self.algorithms = algorithms
    self.times = times
    self.keys = keys
  }

  /// The keys to sign with, in the order of `algorithms`.
  package var signingKeys: [DKIMKey] {
    algorithms.compactMap { algorithm in keys.first { $0.algorithm == algorithm && $0.isSigning } }
  }

  // MARK: Events

  /// A key was made and kept.
  package mutating func add(_ key: DKIMKey) {
    guard index(of: key.selector) == nil else { return }
    keys.append(key)
  }

  /// The record is there, and it is that of the key.
  package mutating func recordSeen(_ selector: KeySelector, at now: Timestamp) {
    guard let index = index(of: selector) else { return }
    keys[index].nextCheck = now.advanced(by: times.checking)
    if keys[index].stage == .made { keys[index].stage = .published(now) }
  }

  /// DNS said that the record is not there, or it is another one. To be called for what was said only: not where nobody
  /// answered.
  package mutating func recordMissing(_ selector: KeySelector, at now: Timestamp) -> [Action] {
    guard let index = index(of: selector) else { return [] }
    keys[index].nextCheck = now.advanced(by: times.waiting)
    switch keys[index].stage {
    case .made, .retired: return []
    case .published:
      keys[index].stage = .made
      return []
    case .signing:
      keys[index].stage = .made
      return [.retire(selector)]
    }
  }

  /// Time has passed.
  package mutating func advance(to now: Timestamp) -> [Action] {
    var actions: [Action] = []
    for algorithm in Set(keys.map(\.algorithm)).subtracting(algorithms) { retireAll(algorithm, now, &actions) }
    for algorithm in algorithms {
      startSigning(algorithm, now, &actions)
      makeSuccessor(algorithm, now, &actions)
    }
    for key in keys {
      if case .retired(let since) = key.stage {
        if since.advanced(by: times.keeping) <= now { actions.append(.remove(key.selector)) }
      } else if key.nextCheck <= now {
        actions.append(.check(key.selector))
      }
    }
    keys.removeAll { actions.contains(.remove($0.selector)) }
    return actions
  }

  /// When `advance` has something to do next, if nothing happens before; nil where there is nothing to wait for.
  package func nextAdvance(after now: Timestamp) -> Timestamp? {
    var moments: [Timestamp] = []
    for key in keys {
      switch key.stage {
      case .retired(let since): moments.append(since.advanced(by: times.keeping))
      case .published(let since): moments += [key.nextCheck, since.advanced(by: times.settling)]
      case .made: moments.append(key.nextCheck)
      case .signing(let since):
        moments += [
          key.nextCheck, since.advanced(by: times.signing),
          since.advanced(by: times.signing).advanced(by: .zero - times.overlap),
        ]
      }
    }
    return moments.filter { $0 > now }.min()
  }

  // MARK: Steps

  /// The newest key whose record has settled takes over where none signs, or where the one that does has done so for
  /// long enough. All older ones retire.
  private mutating func startSigning(_ algorithm: SignatureAlgorithm, _ now: Timestamp, _ actions: inout [Action]) {
    let current = keys.firstIndex { $0.algorithm == algorithm && $0.isSigning }
    if let current, case .signing(let since) = keys[current].stage, since.advanced(by: times.signing) > now { return }
    let ready = keys.indices.filter { index in
      guard keys[index].algorithm == algorithm, case .published(let since) = keys[index].stage else { return false }
      return since.advanced(by: times.settling) <= now
    }
    guard let next = ready.max(by: { keys[$0].made < keys[$1].made }) else { return }
    for index in keys.indices where index != next && keys[index].algorithm == algorithm && !keys[index].isRetired {
      if keys[index].isSigning || keys[index].made < keys[next].made { retire(index, now, &actions) }
    }
    keys[next].stage = .signing(since: now)
    actions.append(.sign(keys[next].selector))
  }

  private func makeSuccessor(_ algorithm: SignatureAlgorithm, _ now: Timestamp, _ actions: inout [Action]) {
    let mine = keys.filter { $0.algorithm == algorithm }
    if mine.contains(where: \.isWaiting) { return }
    if let current = mine.first(where: \.isSigning), case .signing(let since) = current.stage,
      since.advanced(by: times.signing).advanced(by: .zero - times.overlap) > now
    {
      return
    }
    actions.append(.make(algorithm, .monthly(algorithm, at: now, taken: keys.map(\.selector))))
  }

  private mutating func retireAll(_ algorithm: SignatureAlgorithm, _ now: Timestamp, _ actions: inout [Action]) {
    for index in keys.indices where keys[index].algorithm == algorithm && !keys[index].isRetired {
      retire(index, now, &actions)
    }
  }

  private mutating func retire(_ index: Int, _ now: Timestamp, _ actions: inout [Action]) {
    if keys[index].isSigning { actions.append(.retire(keys[index].selector)) }
    keys[index].stage = .retired(now)
  }

  private func index(of selector: KeySelector) -> Int? { keys.firstIndex { $0.selector == selector } }
}

extension DKIMKey {
  package var isSigning: Bool { if case .signing = stage { true } else { false } }
  package var isRetired: Bool { if case .retired = stage { true } else { false } }
  /// Its time is yet to come.
  package var isWaiting: Bool { !isSigning && !isRetired }
}
