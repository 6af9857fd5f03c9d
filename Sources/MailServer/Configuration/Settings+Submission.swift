import MailStore

extension Settings {
  /// What an account may send, where it has no limits of its own.
  static let submission = [
    sendingLimit(
      .messagesPerHour,
      [
        "What an account may send to other servers, so that whoever has stolen a password gets no further: messages an",
        "hour. 0 is no limit, here and below; martlet account limit sets others for one account.",
      ]),
    sendingLimit(.messagesPerDay, ["Messages a day."]),
    sendingLimit(.recipientsPerHour, ["Recipients at other servers, an hour."]),
    sendingLimit(.recipientsPerDay, ["The same, a day."]),
    sendingLimit(
      .newRecipientsPerDay, ["Of them a day, such as the account has not sent to within the last year."]),
  ]

  private static func sendingLimit(_ limit: SendingLimit, _ about: [String]) -> Setting {
    Setting(
      path: "submission.\(limit.rawValue)", about: about, example: String(SendingLimits.standard[limit] ?? 0),
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.sendingLimits[limit] = try number(text, 0...1_000_000)
      },
      values: { [String($0.sendingLimits[limit] ?? 0)] })
  }
}
