import Logging
import MailStore
import MessageFormat
package import Metrics
import Synchronization

/// Says in the log that an account has reached a limit, once an hour, so that somebody looks at it before the password
/// has done harm. Every refusal is counted.
package final class LimitNotices: Sendable {
  private let refusals: [SendingLimit: Counter]
  private let last = Mutex<[AccountID: Timestamp]>([:])

  private static let pause = Duration.seconds(3_600)
  /// Accounts that are remembered.
  private static let capacity = 10_000

  package init(metrics: any MetricsFactory = MetricsSystem.factory) {
    refusals = Dictionary(
      uniqueKeysWithValues: SendingLimit.allCases.map { limit in
        let counter = Counter(
          label: "martlet_submission_limit_refusals_total", dimensions: [("limit", limit.rawValue)], factory: metrics)
        return (limit, counter)
      })
  }

  func note(
    _ limit: SendingLimit, _ bound: Int, of account: AccountID, name: String, at now: Timestamp, _ log: Logger
  ) {
    refusals[limit]?.increment()
    let isDue = last.withLock { last in
      if let time = last[account], now < time.advanced(by: Self.pause), time <= now { return false }
      if last.count >= Self.capacity { last.removeAll() }
      last[account] = now
      return true
    }
    guard isDue else { return }
    log.warning(
      "sending_limit_reached", metadata: ["user": "\(name)", "limit": "\(limit.rawValue)", "bound": "\(bound)"])
  }
}
