import MessageFormat
import SMTP

/// When a message of the queue is due, told of and given up.
struct QueueTimes {
  let notBefore: Timestamp
  let expires: Timestamp
  let warns: Timestamp?
  /// Until when it is held back; nil where it is not.
  let release: Timestamp?
  /// Counted from when the message came, whatever it was held back for.
  let deliverBy: MailParameters.DeliverBy?

  /// BY counts from the release on: nobody holds a message back to be late with it (RFC 4865). With `R` its time is
  /// that of the queue, with `N` that of the warning.  RFC 2852 §4.1.
  init(_ parameters: MailParameters, _ schedule: RetrySchedule, now: Timestamp, release: Timestamp?) {
    self.release = release
    let begin = release ?? now
    let end = begin.advanced(by: schedule.givesUpAfter)
    notBefore = begin
    guard var request = parameters.deliverBy else {
      deliverBy = nil
      expires = end
      warns = schedule.warnsAfter.map { begin.advanced(by: $0) }
      return
    }
    let due = begin.advanced(by: .seconds(request.seconds))
    let warning = schedule.warnsAfter.map { begin.advanced(by: $0) }
    let isLateAlready = request.seconds <= 0
    if !isLateAlready { request.seconds += Int((begin.microseconds - now.microseconds) / 1_000_000) }
    deliverBy = request
    switch request.mode {
    case .return:
      let last = min(due, end)
      expires = last
      warns = warning.flatMap { $0 < last ? $0 : nil }
    case .notify:
      expires = end
      // Whoever had it when its time ran out has told of that.
      warns = isLateAlready || due >= end ? warning : due
    }
  }
}

extension MailParameters.DeliverBy {
  /// Whether its time runs out while the message is here, has done so, and its sender wants to be told.
  /// - Parameter start: when the message came.
  func hasRunOut(at now: Timestamp, since start: Timestamp) -> Bool {
    mode == .notify && seconds > 0 && start.advanced(by: .seconds(seconds)) <= now
  }

  /// What is left of it; negative where it is too late.
  /// - Parameter start: when the message came.
  func remaining(at now: Timestamp, since start: Timestamp) -> Self {
    var rest = self
    rest.seconds -= Int((now.microseconds - start.microseconds) / 1_000_000)
    rest.seconds = max(rest.seconds, -999_999_999)
    return rest
  }
}
