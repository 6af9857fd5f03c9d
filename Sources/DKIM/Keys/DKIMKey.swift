package import Cryptography
package import MessageFormat

/// What is known of one key of a domain. The private half is kept beside it, by whoever keeps this.
package struct DKIMKey: Hashable, Sendable {
  package let selector: KeySelector
  package let algorithm: SignatureAlgorithm
  package let made: Timestamp
  package internal(set) var stage: Stage
  /// When somebody should look whether its record is still there.
  package internal(set) var nextCheck: Timestamp

  /// A key goes from one to the next, and back to the first where its record is gone.
  package enum Stage: Hashable, Sendable {
    /// Nobody has seen its record yet.
    case made
    /// Its record has been there since then; it waits for its time.
    case published(Timestamp)
    case signing(since: Timestamp)
    /// It signs no more, but mail that it signed is still on its way, so its record stays.
    case retired(Timestamp)
  }

  /// As it was kept.
  package init(
    selector: KeySelector, algorithm: SignatureAlgorithm, made: Timestamp, stage: Stage = .made,
    nextCheck: Timestamp? = nil
  ) {
    self.selector = selector
    self.algorithm = algorithm
    self.made = made
    self.stage = stage
    self.nextCheck = nextCheck ?? made
  }
}

extension KeySelector {
  /// A selector for a key made in a month: `202611-rsa`, and `202611-rsa-2` where that one is taken.
  package static func monthly(
    _ algorithm: SignatureAlgorithm, at time: Timestamp, taken: some Sequence<KeySelector>
  ) -> KeySelector {
    let (year, month, _) = DateTime(timestamp: time, offsetMinutes: 0).date.components
    let name = "\(year)\(month < 10 ? "0" : "")\(month)-\(algorithm == .rsa ? "rsa" : "ed25519")"
    let taken = Set(taken.map(\.text))
    var number = 1
    while true {
      let text = number == 1 ? name : "\(name)-\(number)"
      if !taken.contains(text), let selector = KeySelector(text) { return selector }
      number += 1
    }
  }
}
