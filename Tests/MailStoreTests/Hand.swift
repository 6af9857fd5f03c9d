import MessageFormat
import Synchronization

/// A clock that is moved by hand.
final class Hand: Sendable {
  private let time = Mutex<Int64>(1_768_478_400)
  var clock: WallClock { WallClock { Timestamp(seconds: self.time.withLock { $0 }) } }
  func move(days: Int64) { time.withLock { $0 += days * 86_400 } }
  func move(seconds: Int64) { time.withLock { $0 += seconds } }
}
