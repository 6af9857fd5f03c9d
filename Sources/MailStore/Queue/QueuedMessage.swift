package import MessageFormat

/// A message on its way to other servers. Never reused.
package struct QueueID: Hashable, Comparable, Codable, Sendable {
  package let rawValue: Int64
  package init(rawValue: Int64) { self.rawValue = rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One recipient of a queued message.
package struct QueuedRecipientID: Hashable, Codable, Sendable {
  package var message: QueueID
  /// Its place in the envelope, from 0.
  package var position: Int
  package init(message: QueueID, position: Int) {
    self.message = message
    self.position = position
  }
}

/// A message to put into the queue, with the body it shares with the local deliveries of the same commit.
package struct NewQueuedMessage: Sendable {
  /// The reverse-path; nil is `<>`.
  package var sender: EmailAddress?
  /// Who submitted it; nil for the server's own and for what it forwards.
  package var account: AccountID?
  /// The parameters of MAIL, as SMTP writes them. The store does not read them.
  package var parameters: String
  /// Fields in front of the body, each ended by CRLF.
  package var prefix: [UInt8]
  /// Not before this is the first attempt.
  package var notBefore: Timestamp
  /// What has not arrived by then is given up.
  package var expires: Timestamp
  /// When its sender is told that it takes longer; nil for never.
  package var warns: Timestamp?
  /// What of an account goes first to a destination: the higher number.
  package var priority: Int
  /// Never empty.
  package var recipients: [NewQueuedRecipient]

  package init(
    sender: EmailAddress?, account: AccountID? = nil, parameters: String = "", prefix: [UInt8] = [],
    notBefore: Timestamp, expires: Timestamp, warns: Timestamp? = nil, priority: Int = 0,
    recipients: [NewQueuedRecipient]
  ) {
    self.sender = sender
    self.account = account
    self.parameters = parameters
    self.prefix = prefix
    self.notBefore = notBefore
    self.expires = expires
    self.warns = warns
    self.priority = priority
    self.recipients = recipients
  }
}

package struct NewQueuedRecipient: Hashable, Sendable {
  package var address: EmailAddress
  /// What deliveries are grouped by: those of one destination go over the same connections, and wait together while it
  /// can't be reached.
  package var destination: String
  /// The parameters of RCPT, as SMTP writes them. The store does not read them.
  package var parameters: String
  /// For one who has the message already, and of whom only a report is due: what came of it.
  package var result: String?
  package init(address: EmailAddress, destination: String, parameters: String = "", result: String? = nil) {
    self.address = address
    self.destination = destination
    self.parameters = parameters
    self.result = result
  }
}

/// A message of the queue.
package struct QueuedMessage: Sendable {
  package var id: QueueID
  package var sender: EmailAddress?
  package var account: AccountID?
  package var parameters: String
  package var created: Timestamp
  package var expires: Timestamp
  package var content: ContentReference
}

package struct QueuedRecipient: Hashable, Sendable {
  package enum State: Int64, Hashable, Sendable {
    /// For its next attempt.
    case waiting = 0
    /// Until an administrator lets it go.
    case held = 1
    /// It will not arrive, or has arrived and the sender wants to know; a report is due.
    case reporting = 2
  }

  package var position: Int
  package var address: EmailAddress
  package var destination: String
  package var parameters: String
  package var state: State
  /// Attempts made so far.
  package var attempts: Int
  /// For one that waits: not before this. For one that is reported: when the report is due.
  package var nextAttempt: Timestamp
  /// What came of the last attempt, in the form that the caller gave it; empty before the first.
  package var result: String
}

/// Recipients of one message for one destination, or all that are to be reported.
package struct QueuedDelivery: Sendable {
  package var message: QueuedMessage
  package var recipients: [QueuedRecipient]
  package func id(of recipient: QueuedRecipient) -> QueuedRecipientID {
    QueuedRecipientID(message: message.id, position: recipient.position)
  }
}

/// Where a recipient of the queue goes, and by what that was decided.
package struct QueuedWay: Hashable, Sendable {
  package var id: QueuedRecipientID
  /// Nil for what is not an address: a verification reports it.
  package var recipient: EmailAddress?
  package var sender: EmailAddress?
  package var destination: String
}

/// A destination for which something waits.
package struct QueuedDestination: Hashable, Sendable {
  package var name: String
  /// Not before this.
  package var nextAttempt: Timestamp
  /// Attempts in a row in which it could not be reached.
  package var failures: Int
  /// Of the last attempt, if that failed.
  package var result: String
}

/// For how many destinations there is room.
package struct QueueRoom: Sendable {
  /// For such as could be reached the last time, or were never tried, and have come due since then. The last first: whoever
  /// writes now does not wait for all who wrote a moment ago. The first entry has its turn first; each number counts what
  /// the entries before it have brought.
  package var fresh: [(since: Timestamp, count: Int)]
  /// For all of these, the longest due first; counts what `fresh` has brought.
  package var reachable: Int
  /// For such as could not be reached the last time, the longest due first.
  package var unreachable: Int

  package init(fresh: [(since: Timestamp, count: Int)] = [], reachable: Int, unreachable: Int) {
    self.fresh = fresh
    self.reachable = reachable
    self.unreachable = unreachable
  }
}

/// What a look at the queue finds to be done.
package struct QueueLook: Sendable {
  /// For which something is due, in the order of their turns.
  package var destinations: [QueuedDestination]
  /// The time of a message is over.
  package var hasExpired: Bool
  /// Something is to be reported, or a sender to be told that a message takes longer.
  package var hasReports: Bool
  /// When something is due next that is not yet; nil where nothing waits.
  package var next: Timestamp?
}

/// What came of an attempt for one recipient. `result` is kept with it, for reports and lists.
package enum QueuedOutcome: Hashable, Sendable {
  /// It is done with: it has arrived, or nobody wants a report.
  case done
  /// Another attempt, not before this.
  case retry(at: Timestamp, result: String)
  /// A report about it is due then, or earlier, once all recipients of the message have been tried: one report tells of
  /// all.
  case report(at: Timestamp, result: String)
}

/// Whether a destination could be reached.
package enum DestinationOutcome: Hashable, Sendable {
  case reached
  /// There was nothing to send any more.
  case untried
  /// Nothing for it is tried before this.
  case unreachable(until: Timestamp, result: String)
}

/// What a step of the queue changes, in one commit.
package struct QueueProgress: Sendable {
  package var outcomes: [(recipient: QueuedRecipientID, outcome: QueuedOutcome)] = []
  /// Messages whose senders have been told that they take longer.
  package var warned: [QueueID] = []
  /// Who has a report of TLS now.
  package var told: [(results: TransportResults.Key, recipient: String)] = []
  package init() {}
  package var isEmpty: Bool { outcomes.isEmpty && warned.isEmpty && told.isEmpty }
}

/// Which messages of the queue are meant. All conditions hold together.
package struct QueueFilter: Hashable, Sendable {
  package var ids: [QueueID]?
  package var sender: EmailAddress?
  /// Of the recipients, as an address has it.
  package var domain: String?
  package var state: QueuedRecipient.State?
  package init(
    ids: [QueueID]? = nil, sender: EmailAddress? = nil, domain: String? = nil, state: QueuedRecipient.State? = nil
  ) {
    self.ids = ids
    self.sender = sender
    self.domain = domain
    self.state = state
  }
}

/// What an administrator does with recipients of the queue.
package enum QueueAction: String, Codable, Hashable, Sendable {
  case hold
  /// What is held, and what waits for its first attempt at a later time.
  case release
  /// Now, whatever was planned.
  case retry
  /// Gone without a report.
  case drop
}

package struct QueueSummary: Hashable, Sendable {
  package var messages: Int64 = 0
  package var waiting: Int64 = 0
  package var held: Int64 = 0
  package var reporting: Int64 = 0
}
