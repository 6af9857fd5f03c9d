/// A bound on what an account sends to other servers, so that a stolen password is worth little.
package enum SendingLimit: String, CaseIterable, Codable, Hashable, Sendable {
  case messagesPerHour = "messages_per_hour"
  case messagesPerDay = "messages_per_day"
  case recipientsPerHour = "recipients_per_hour"
  case recipientsPerDay = "recipients_per_day"
  /// Recipients that the account has not sent to within the last year.
  case newRecipientsPerDay = "new_recipients_per_day"

  /// `200 new recipients a day`.
  package func inWords(_ bound: Int) -> String {
    switch self {
    case .messagesPerHour: "\(bound) messages an hour"
    case .messagesPerDay: "\(bound) messages a day"
    case .recipientsPerHour: "\(bound) recipients an hour"
    case .recipientsPerDay: "\(bound) recipients a day"
    case .newRecipientsPerDay: "\(bound) new recipients a day"
    }
  }
}

/// A number for each limit. What is not set is left to others to say.
package struct SendingLimits: Hashable, Sendable {
  private var values: [SendingLimit: Int] = [:]

  package init() {}

  /// What a busy person does not reach, and somebody who sends spam does at once.
  package static let standard: SendingLimits = {
    var limits = SendingLimits()
    limits[.messagesPerHour] = 200
    limits[.messagesPerDay] = 500
    limits[.recipientsPerHour] = 500
    limits[.recipientsPerDay] = 1_000
    limits[.newRecipientsPerDay] = 200
    return limits
  }()

  /// 0 is no limit.
  package subscript(limit: SendingLimit) -> Int? {
    get { values[limit] }
    set { values[limit] = newValue }
  }

  package var isEmpty: Bool { values.isEmpty }
  /// However much is sent, none is exceeded.
  package var areUnlimited: Bool { values.values.allSatisfy { $0 <= 0 } }

  /// These, and where they say nothing, the others.
  package func completed(by others: SendingLimits) -> SendingLimits {
    var limits = self
    limits.values.merge(others.values) { own, _ in own }
    return limits
  }

  /// The first limit that so much is beyond.
  package func exceeded(by use: SendingUse) -> (limit: SendingLimit, bound: Int)? {
    for limit in SendingLimit.allCases {
      if let bound = values[limit], bound > 0, use[limit] > bound { return (limit, bound) }
    }
    return nil
  }
}

/// What an account has sent to other servers within the last hour and the last day.
package struct SendingUse: Hashable, Sendable {
  package struct Count: Hashable, Sendable {
    package var messages = 0
    package var recipients = 0
    package var newRecipients = 0
    package init(messages: Int = 0, recipients: Int = 0, newRecipients: Int = 0) {
      self.messages = messages
      self.recipients = recipients
      self.newRecipients = newRecipients
    }

    package mutating func add(_ other: Count) {
      messages += other.messages
      recipients += other.recipients
      newRecipients += other.newRecipients
    }
  }

  package var hour = Count()
  package var day = Count()
  package init() {}

  package subscript(limit: SendingLimit) -> Int {
    switch limit {
    case .messagesPerHour: hour.messages
    case .messagesPerDay: day.messages
    case .recipientsPerHour: hour.recipients
    case .recipientsPerDay: day.recipients
    case .newRecipientsPerDay: day.newRecipients
    }
  }

  /// Something that is sent now.
  package mutating func add(_ count: Count) {
    hour.add(count)
    day.add(count)
  }
}

extension SendingLimits {
  /// As it is kept: a line each, the limit's name and the number.
  var encoded: String {
    SendingLimit.allCases.compactMap { limit in values[limit].map { "\(limit.rawValue) \($0)" } }
      .joined(separator: "\n")
  }

  init(decoding text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let limit = SendingLimit(rawValue: String(words[0])), let number = Int(words[1]) else {
        continue
      }
      values[limit] = number
    }
  }
}
