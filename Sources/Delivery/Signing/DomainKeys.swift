package import Cryptography
package import DKIM
package import DNS
package import Logging
package import MailStore
package import MessageFormat
import Synchronization

/// The keys by which mail of our domains is signed: made, kept in the store, watched in DNS, replaced in time.
///
/// A domain has keys once somebody has asked for them. From then on each is signed with while its record is in DNS.
package actor DomainKeys {
  package struct Key: Sendable {
    package var key: DKIMKey
    package var record: KeyRecordText
  }

  private let store: MailStore
  /// Nil: nobody looks into DNS.
  private let resolver: (any Resolving)?
  private let clock: WallClock
  private let logger: Logger
  private var rotations: [Domain: KeyRotation] = [:]
  private var material: [Domain: [KeySelector: SigningKey]] = [:]
  private var isLoaded = false
  /// What signs now, for whoever can't wait.
  private nonisolated let signing = Mutex<[Domain: [SigningIdentifier]]>([:])

  package init(store: MailStore, resolver: (any Resolving)?, clock: WallClock, logger: Logger) {
    self.store = store
    self.resolver = resolver
    self.clock = clock
    self.logger = logger
  }

  /// The keys to sign a domain's mail with; none where it has none whose record is in DNS.
  package nonisolated func identifiers(for domain: Domain) -> [SigningIdentifier] { signing.withLock { $0[domain] ?? [] } }

  /// The same for a host: the keys of its own name, else of the nearest domain above that has some.
  package nonisolated func identifiers(covering host: Domain) -> [SigningIdentifier] {
    var name = host.text[...]
    while true {
      if let domain = Domain(String(name)) {
        let found = identifiers(for: domain)
        if !found.isEmpty { return found }
      }
      guard let dot = name.firstIndex(of: ".") else { return [] }
      name = name[name.index(after: dot)...]
    }
  }

  /// The keys of a domain, made where it has none.
  /// - Parameter replaces: new ones are made in any case, and take over once their records are in DNS.
  package func keys(of domain: Domain, replaces: Bool) async throws(DomainKeyError) -> [Key] {
    try await load()
    if rotations[domain] == nil { rotations[domain] = rotation(of: domain, []) }
    if replaces || rotations[domain]?.keys.isEmpty == true {
      for algorithm in [SignatureAlgorithm.rsa, .ed25519] { try await make(algorithm, of: domain) }
    }
    try await advance(domain, checksAll: true)
    return try listed(domain)
  }

  /// The keys that a domain has; none are made, and nobody looks into DNS.
  package func knownKeys(of domain: Domain) async throws(DomainKeyError) -> [Key] {
    try await load()
    return try listed(domain)
  }

  /// Before it is called nothing is signed.
  package func prepare() async {
    do throws(DomainKeyError) { try await load() } catch {
      logger.error("domain_keys_failed", metadata: ["error": "\(error)"])
    }
  }

  /// What is due: looks at records, begins and ends signing, makes successors, forgets.
  package func advance() async {
    do throws(DomainKeyError) {
      try await load()
      for domain in rotations.keys where store.directory.isLocal(domain) { try await advance(domain, checksAll: false) }
    } catch {
      logger.error("domain_keys_failed", metadata: ["error": "\(error)"])
    }
  }

  // MARK: Steps

  private func load() async throws(DomainKeyError) {
    guard !isLoaded else { return }
    for kept in try await stored({ () async throws(StoreError) in try await store.signingKeys() }) {
      guard let key = DKIMKey(kept), let secret = try? SigningKey(pem: kept.privateKey) else {
        logger.error("domain_key_unreadable", metadata: ["domain": "\(kept.domain)", "selector": "\(kept.selector)"])
        continue
      }
      material[kept.domain, default: [:]][key.selector] = secret
      rotations[kept.domain] = rotation(of: kept.domain, (rotations[kept.domain]?.keys ?? []) + [key])
    }
    isLoaded = true
    for domain in rotations.keys { publish(domain) }
  }

  private func rotation(of domain: Domain, _ keys: [DKIMKey]) -> KeyRotation {
    var times = KeyRotationTimes()
    // Nobody but us has asked for a key's record before it signs, so nobody remembers that there was none: it has to
    // reach the domain's own servers only.
    times.settling = .zero
    return KeyRotation(domain: domain, times: times, keys: keys)
  }

  private func advance(_ domain: Domain, checksAll: Bool) async throws(DomainKeyError) {
    guard var rotation = rotations[domain] else { return }
    var changed = Set<KeySelector>()
    // What a look at DNS finds may be all that the next step waits for.
    for round in 0..<2 {
      var actions = rotation.advance(to: clock.now())
      if checksAll, round == 0 {
        let due = rotation.keys.filter { !$0.isRetired && !actions.contains(.check($0.selector)) }
        actions += due.map { .check($0.selector) }
      }
      for action in actions {
        switch action {
        case .make(let algorithm, _):
          rotations[domain] = rotation
          try await make(algorithm, of: domain)
          rotation = rotations[domain] ?? rotation
        case .check(let selector):
          guard let isThere = await isPublished(selector, of: domain) else { continue }
          changed.insert(selector)
          if isThere {
            rotation.recordSeen(selector, at: clock.now())
          } else {
            for case .retire(let selector) in rotation.recordMissing(selector, at: clock.now()) {
              log("domain_key_record_missing", domain, selector)
            }
          }
        case .sign(let selector):
          changed.insert(selector)
          log("domain_key_signs", domain, selector)
        case .retire(let selector):
          changed.insert(selector)
          log("domain_key_retired", domain, selector)
        case .remove(let selector):
          material[domain]?[selector] = nil
          try await stored { () async throws(StoreError) in
            try await store.removeSigningKey(selector.text, of: domain)
          }
          log("domain_key_removed", domain, selector)
        }
      }
    }
    rotations[domain] = rotation
    // Keys that a retirement touched without naming them are kept as well: there are a handful.
    if !changed.isEmpty { for key in rotation.keys { try await keep(key, of: domain) } }
    publish(domain)
  }

  private func make(_ algorithm: SignatureAlgorithm, of domain: Domain) async throws(DomainKeyError) {
    guard var rotation = rotations[domain] else { return }
    let now = clock.now()
    let selector = KeySelector.monthly(algorithm, at: now, taken: rotation.keys.map(\.selector))
    let secret: SigningKey
    do throws(KeyError) {
      secret = try SigningKey.generate(algorithm)
    } catch {
      throw DomainKeyError("a key for \(domain) could not be made: \(error)")
    }
    let key = DKIMKey(selector: selector, algorithm: algorithm, made: now)
    material[domain, default: [:]][selector] = secret
    try await keep(key, of: domain)
    rotation.add(key)
    rotations[domain] = rotation
    log("domain_key_made", domain, selector)
  }

  private func keep(_ key: DKIMKey, of domain: Domain) async throws(DomainKeyError) {
    guard let secret = material[domain]?[key.selector] else { return }
    guard let pem = try? secret.pem else { throw DomainKeyError("the key \(key.selector) can't be written down") }
    let kept = KeptSigningKey(key, of: domain, privateKey: pem)
    try await stored { () async throws(StoreError) in try await store.setSigningKey(kept) }
  }

  /// Nil where DNS does not answer, or nobody looks.
  private func isPublished(_ selector: KeySelector, of domain: Domain) async -> Bool? {
    guard let resolver, let record = try? recordText(selector, of: domain), let name = DomainName(record.name) else {
      return nil
    }
    guard let answer = try? await resolver.records(TextRecord.self, at: name) else { return nil }
    let texts = answer.records.map(\.text)
    return record.isPublished(in: texts.isEmpty ? .none : .records(texts))
  }

  private func publish(_ domain: Domain) {
    let secrets = material[domain] ?? [:]
    let identifiers = (rotations[domain]?.signingKeys ?? []).compactMap { key in
      secrets[key.selector].map { SigningIdentifier(domain: domain, selector: key.selector, key: $0) }
    }
    signing.withLock { $0[domain] = identifiers }
  }

  /// The oldest first, of a pair that of RSA.
  private func listed(_ domain: Domain) throws(DomainKeyError) -> [Key] {
    var keys: [Key] = []
    let order: (DKIMKey) -> (Timestamp, Int) = { ($0.made, $0.algorithm == .rsa ? 0 : 1) }
    for key in (rotations[domain]?.keys ?? []).sorted(by: { order($0) < order($1) }) {
      keys.append(Key(key: key, record: try recordText(key.selector, of: domain)))
    }
    return keys
  }

  private func recordText(_ selector: KeySelector, of domain: Domain) throws(DomainKeyError) -> KeyRecordText {
    guard let secret = material[domain]?[selector],
      let record = (try? KeyRecordText(secret.publicKey, selector: selector, domain: domain)) ?? nil
    else { throw DomainKeyError("the key \(selector) of \(domain) has no record") }
    return record
  }

  private func stored<Value>(
    _ body: () async throws(StoreError) -> Value
  ) async throws(DomainKeyError) -> Value {
    do throws(StoreError) { return try await body() } catch { throw DomainKeyError("\(error)") }
  }

  private func log(_ event: Logger.Message, _ domain: Domain, _ selector: KeySelector) {
    logger.notice(event, metadata: ["domain": "\(domain)", "selector": "\(selector)"])
  }
}

/// In words, for whoever asked.
package struct DomainKeyError: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}

extension DKIMKey {
  /// Nil where it was not kept by us.
  fileprivate init?(_ kept: KeptSigningKey) {
    guard let selector = KeySelector(kept.selector), let algorithm = SignatureAlgorithm(kept: kept.algorithm),
      let stage = Stage(kept: kept.stage)
    else { return nil }
    self.init(selector: selector, algorithm: algorithm, made: kept.made, stage: stage, nextCheck: kept.nextCheck)
  }
}

extension KeptSigningKey {
  fileprivate init(_ key: DKIMKey, of domain: Domain, privateKey: [UInt8]) {
    self.init(
      domain: domain, selector: key.selector.text, algorithm: key.algorithm.kept, privateKey: privateKey,
      made: key.made, stage: key.stage.kept, nextCheck: key.nextCheck)
  }
}

extension SignatureAlgorithm {
  /// As it is kept, and shown.
  package var kept: String {
    switch self {
    case .rsa: "rsa"
    case .ed25519: "ed25519"
    }
  }

  fileprivate init?(kept: String) {
    switch kept {
    case "rsa": self = .rsa
    case "ed25519": self = .ed25519
    default: return nil
    }
  }
}

extension DKIMKey.Stage {
  /// A word, and for all but the first since when, in microseconds.
  fileprivate var kept: String {
    switch self {
    case .made: "made"
    case .published(let time): "published \(time.microseconds)"
    case .signing(let time): "signing \(time.microseconds)"
    case .retired(let time): "retired \(time.microseconds)"
    }
  }

  fileprivate init?(kept: String) {
    let words = kept.split(separator: " ")
    let time = words.count == 2 ? Int64(words[1]).map { Timestamp(microseconds: $0) } : nil
    switch (words.first, time) {
    case ("made", nil): self = .made
    case ("published", let time?): self = .published(time)
    case ("signing", let time?): self = .signing(since: time)
    case ("retired", let time?): self = .retired(time)
    default: return nil
    }
  }
}
