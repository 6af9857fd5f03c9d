#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Holds a thread back so that it reads no more than so many octets a second on average. Only for a thread of its own.
struct ReadingRate {
  /// Nil for no limit.
  let octetsPerSecond: Int64?
  private var start = ContinuousClock.now
  private var octets: Int64 = 0

  /// Time that was not used is kept for no longer than this.
  private static let burst = Duration.seconds(1)

  init(octetsPerSecond: Int64?) { self.octetsPerSecond = octetsPerSecond }

  mutating func spend(_ count: Int64) {
    guard let octetsPerSecond, octetsPerSecond > 0 else { return }
    octets += count
    let due = start + .seconds(Double(octets) / Double(octetsPerSecond))
    let now = ContinuousClock.now
    if due > now {
      let wait = (due - now).components
      var time = timespec(tv_sec: Int(wait.seconds), tv_nsec: Int(wait.attoseconds / 1_000_000_000))
      // A signal makes it sleep less, which does no harm.
      nanosleep(&time, nil)
    } else if now - due > Self.burst {
      start = now
      octets = 0
    }
  }
}
