package import MessageFormat
import SQLite

/// A recipient at another server, as an account's past is kept: a hash of its address.
package struct RecipientKey: Hashable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// What an account sends to other servers by one message.
package struct SentMessage: Hashable, Sendable {
  package var account: AccountID
  package var recipients: Set<RecipientKey>
  package var limits: SendingLimits

  package init(account: AccountID, recipients: Set<RecipientKey>, limits: SendingLimits) {
    self.account = account
    self.recipients = recipients
    self.limits = limits
  }
}

/// What is kept of the past of an account that sends.
///
/// An hour is the last six spans of ten minutes by the clock, a day the last 144, each with the one under way.
enum SentMail {
  static let span: Int64 = 600_000_000
  static let spansOfHour: Int64 = 6
  static let spansOfDay: Int64 = 144
  /// Days after which a recipient is a new one again.
  static let memory: Int64 = 365
  /// A recipient who is sent to again is noted again after so many days.
  static let touch: Int64 = 30
  /// Recipients of an account; beyond, those are forgotten who were not sent to for longest.
  static let recipientLimit: Int64 = 100_000

  static func span(of time: Timestamp) -> Int64 { time.microseconds / span }
  static func day(of time: Timestamp) -> Int64 { time.seconds / 86_400 }
}

extension MailStore {
  /// What the account has sent until `time`, and which of the recipients are not new to it.
  package func sendingUse(
    of account: AccountID, at time: Timestamp, known recipients: Set<RecipientKey> = []
  ) async throws(StoreError) -> (use: SendingUse, known: Set<RecipientKey>) {
    try await read { (snapshot) throws(StoreError) in
      (try snapshot.sendingUse(of: account, at: time), try snapshot.knownRecipients(recipients, of: account, at: time))
    }
  }
}

extension Database {
  package func sendingUse(of account: AccountID, at time: Timestamp) throws(StoreError) -> SendingUse {
    let now = SentMail.span(of: time)
    var use = SendingUse()
    // What is later than now is of a clock that was ahead.
    try each(
      "SELECT span, messages, recipients, new_recipients FROM sent_counts WHERE account = ? AND span BETWEEN ? AND ?",
      .integer(account.rawValue), .integer(now - SentMail.spansOfDay + 1), .integer(now)
    ) { row in
      let count = SendingUse.Count(
        messages: Int(row.integer(1)), recipients: Int(row.integer(2)), newRecipients: Int(row.integer(3)))
      use.day.add(count)
      if row.integer(0) > now - SentMail.spansOfHour { use.hour.add(count) }
    }
    return use
  }

  package func knownRecipients(
    _ recipients: Set<RecipientKey>, of account: AccountID, at time: Timestamp
  ) throws(StoreError) -> Set<RecipientKey> {
    let oldest = SentMail.day(of: time) - SentMail.memory
    var known: Set<RecipientKey> = []
    for recipient in recipients where try lastDay(of: recipient, account).map({ $0 >= oldest }) == true {
      known.insert(recipient)
    }
    return known
  }

  fileprivate func lastDay(of recipient: RecipientKey, _ account: AccountID) throws(StoreError) -> Int64? {
    try one(
      "SELECT day FROM sent_recipients WHERE account = ? AND recipient = ?", .integer(account.rawValue),
      .integer(recipient.rawValue)
    ) { $0.integer(0) }
  }
}

extension WriteContext {
  /// Counts the message, in the commit that accepts it.
  /// - Throws: `sendingLimit`.
  func count(_ sent: SentMessage) throws(StoreError) {
    let (now, account) = (clock.now(), sent.account.rawValue)
    let today = SentMail.day(of: now)
    var count = SendingUse.Count(messages: 1, recipients: sent.recipients.count)
    for recipient in sent.recipients {
      let day = try database.lastDay(of: recipient, sent.account)
      let isKnown = day.map { $0 >= today - SentMail.memory } ?? false
      if !isKnown { count.newRecipients += 1 }
      if let day, day >= today - SentMail.touch { continue }
      try database.change(
        "INSERT OR REPLACE INTO sent_recipients (account, recipient, day) VALUES (?, ?, ?)", .integer(account),
        .integer(recipient.rawValue), .integer(today))
    }
    var use = try database.sendingUse(of: sent.account, at: now)
    use.add(count)
    if let (limit, bound) = sent.limits.exceeded(by: use) { throw .sendingLimit(limit, bound) }
    try database.change(
      """
      UPDATE sent_counts SET messages = messages + 1, recipients = recipients + ?, new_recipients = new_recipients + ?
      WHERE account = ? AND span = ?
      """, .integer(Int64(count.recipients)), .integer(Int64(count.newRecipients)), .integer(account),
      .integer(SentMail.span(of: now)))
    guard database.changedRows == 0 else { return }
    try database.change(
      "INSERT INTO sent_counts (account, span, messages, recipients, new_recipients) VALUES (?, ?, 1, ?, ?)",
      .integer(account), .integer(SentMail.span(of: now)), .integer(Int64(count.recipients)),
      .integer(Int64(count.newRecipients)))
    try forgetSentMail(of: account, at: now)
  }

  /// With the first message of each span, so that nothing grows without bounds and nothing has to be looked for.
  private func forgetSentMail(of account: Int64, at now: Timestamp) throws(StoreError) {
    let span = SentMail.span(of: now)
    try database.change(
      "DELETE FROM sent_counts WHERE account = ? AND span NOT BETWEEN ? AND ?", .integer(account),
      .integer(span - SentMail.spansOfDay + 1), .integer(span))
    try database.change(
      "DELETE FROM sent_recipients WHERE account = ? AND day < ?", .integer(account),
      .integer(SentMail.day(of: now) - SentMail.memory))
    let excess = try database.one(
      "SELECT count(*) - ? FROM sent_recipients WHERE account = ?", .integer(SentMail.recipientLimit), .integer(account)
    ) { $0.integer(0) }
    guard let excess, excess > 0 else { return }
    try database.change(
      """
      DELETE FROM sent_recipients WHERE account = ?1 AND recipient IN
        (SELECT recipient FROM sent_recipients WHERE account = ?1 ORDER BY day LIMIT ?2)
      """, .integer(account), .integer(excess))
  }
}
