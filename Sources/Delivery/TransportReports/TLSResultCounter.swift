package import DNS
package import MessageFormat
import Synchronization

/// Counts what comes of TLS while mail is delivered. In memory, so that no delivery waits for it: ``TLSReporter`` takes
/// what has been counted to the store every minute.
package final class TLSResultCounter: Sendable {
  /// A domain and a day of UTC.
  package struct Key: Hashable, Sendable {
    package var domain: DomainName
    package var day: UTCDay
  }

  private struct State {
    var tallies: [Key: TLSTally] = [:]
    var lost = 0
  }

  /// Domains between two visits of the reporter.
  static let mostDomains = 10_000

  private let clock: WallClock
  private let state = Mutex(State())

  package init(clock: WallClock) { self.clock = clock }

  /// - Parameter domain: of the recipients.
  package func count(_ result: TLSResult, for domain: DomainName) {
    let key = Key(domain: domain, day: UTCDay(of: clock.now()))
    state.withLock { state in
      guard state.tallies[key] != nil || state.tallies.count < Self.mostDomains else {
        state.lost += 1
        return
      }
      state.tallies[key, default: TLSTally(domain: domain)].count(result)
    }
  }

  /// What has been counted since the last time, and how many sessions were too many.
  func take() -> (tallies: [Key: TLSTally], lost: Int) {
    state.withLock { state in
      defer { state = State() }
      return (state.tallies, state.lost)
    }
  }
}
