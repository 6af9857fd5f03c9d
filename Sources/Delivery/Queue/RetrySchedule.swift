import MessageFormat

/// When a delivery that failed for the time being is tried again.  RFC 5321 §4.5.4.1.
package struct RetrySchedule: Sendable {
  /// After the first failure. Greylisting wants some minutes.
  package var firstPause: Duration = .seconds(150)
  /// Each pause is twice the one before, up to this.
  package var longestPause: Duration = .seconds(4 * 3_600)
  /// A pause is longer or shorter by up to this share of it, so that what failed together is not tried together.
  package var jitter = 0.2
  /// After this a message comes back to its sender.
  package var givesUpAfter: Duration = .seconds(5 * 86_400)
  /// After this its sender is told that it takes longer; nil for never.
  package var warnsAfter: Duration? = .seconds(4 * 3_600)

  package init() {}

  /// - Parameters:
  ///   - failures: so far in a row, this one among them; at least 1.
  ///   - random: in 0...1.
  package func pause(after failures: Int, random: Double) -> Duration {
    var pause = firstPause
    for _ in 1..<max(failures, 1) where pause < longestPause { pause *= 2 }
    return min(pause, longestPause) * (1 + jitter * (2 * random - 1))
  }
}
