import MailStore
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A line on standard error that tells a person how far a long operation is. Nothing where nobody looks: in a pipe, a
/// file, or on a terminal that cannot go back to a line's beginning.
final class ProgressBar: Sendable {
  private struct State {
    var isShown = false
    var lastDrawing: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  private let isWanted: Bool

  private static let interval = Duration.milliseconds(100)
  private static let cells = 24

  init() {
    let terminal = getenv("TERM").map { String(cString: $0) }
    isWanted = isatty(STDERR_FILENO) == 1 && terminal != nil && terminal != "dumb"
  }

  /// From any thread.
  @Sendable func show(_ progress: OperationProgress) {
    guard isWanted else { return }
    state.withLock { state in
      let now = ContinuousClock.now
      if let last = state.lastDrawing, now - last < Self.interval { return }
      state.lastDrawing = now
      state.isShown = true
      draw("\r\u{1B}[K\(Self.line(progress))")
    }
  }

  /// Takes the line away.
  func end() {
    state.withLock { state in
      if state.isShown { draw("\r\u{1B}[K") }
      state.isShown = false
    }
  }

  static func line(_ progress: OperationProgress) -> String {
    func shown(_ count: Int64) -> String {
      progress.unit == .octets ? roundedSize(count) : "\(count)"
    }
    let unit = progress.unit == .messages ? " messages" : ""
    guard let total = progress.total, total > 0 else { return "\(progress.phase): \(shown(progress.done))\(unit)" }
    let share = min(max(Double(progress.done) / Double(total), 0), 1)
    let filled = Int(share * Double(cells))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: cells - filled)
    return "\(progress.phase) [\(bar)] \(Int(share * 100)) % (\(shown(progress.done)) of \(shown(total))\(unit))"
  }

  private func draw(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}
