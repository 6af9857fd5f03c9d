/// Time that only goes forward, for limits. Tests give one that stands still.
package struct SteadyClock: Sendable {
  /// Since any fixed moment.
  package let now: @Sendable () -> Duration

  package init(now: @escaping @Sendable () -> Duration) { self.now = now }

  /// The machine's.
  package static let system: SteadyClock = {
    let start = ContinuousClock.now
    return SteadyClock { ContinuousClock.now - start }
  }()
}
