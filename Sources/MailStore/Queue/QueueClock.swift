import MessageFormat
import SQLite

/// What the queue has planned, when it turns out that the clock was wrong. What a sender wants held back until a date
/// stays at that date. The packs do not know of it.
extension WriteContext {
  /// So long it may have taken until somebody noticed; what came in between was planned by the new time.
  private static let notice = Duration.seconds(120)

  func moveQueue(by offset: Duration) throws(StoreError) {
    let now = clock.now()
    let step = SQLValue.integer(now.advanced(by: offset).microseconds - now.microseconds)
    let current = SQLValue.integer(now.microseconds)
    if offset > .zero {
      // What has been planned since lies in the future.
      try database.change(
        """
        UPDATE queued_recipients SET next_attempt = next_attempt + ?1
        WHERE state <> 1 AND next_attempt < ?2 AND attempts > 0
        """, step, current)
      try database.change(
        """
        UPDATE queued_destinations SET next_attempt = next_attempt + ?1, last_attempt = min(last_attempt + ?1, ?2)
        WHERE next_attempt < ?2
        """, step, current)
    } else {
      // If something has been planned since, it is tried too early for once.
      try database.change(
        """
        UPDATE queued_recipients SET next_attempt = next_attempt + ?1 WHERE state <> 1 AND next_attempt > ?2
          AND (attempts > 0 OR message IN (SELECT id FROM queued_messages WHERE created > ?2))
        """, step, current)
      try database.change(
        """
        UPDATE queued_destinations SET next_attempt = next_attempt + ?1, last_attempt = min(last_attempt, ?2)
        WHERE next_attempt > ?2
        """, step, current)
    }
    try database.change(
      """
      UPDATE queued_messages SET expires = expires + ?1, warns = warns + ?1
      WHERE NOT created BETWEEN ?3 AND ?2
      """, step, current, .integer(now.advanced(by: .zero - Self.notice).microseconds))
    isQueueChanged = true
  }

  func hastenQueue(beyond limit: Timestamp) throws(StoreError) {
    let now = SQLValue.integer(clock.now().microseconds)
    try database.change(
      """
      UPDATE queued_recipients SET next_attempt = ?1 WHERE state <> 1 AND next_attempt > ?2
        AND (attempts > 0 OR message IN (SELECT id FROM queued_messages WHERE created > ?1))
      """, now, .integer(limit.microseconds))
    // Where nothing is due after all, a look at it costs little and sets it right.
    try database.change(
      "UPDATE queued_destinations SET next_attempt = ?1 WHERE next_attempt > ?2", now, .integer(limit.microseconds))
    isQueueChanged = true
  }
}
