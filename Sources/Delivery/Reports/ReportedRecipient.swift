package import MessageFormat
package import SMTP

/// What is reported of a recipient.  RFC 3464 §2.3.3.
package enum ReportAction: String, Hashable, Sendable, CaseIterable {
  /// It will not arrive.
  case failed
  /// It has not arrived yet, and is tried on.
  case delayed
  /// It is in the recipient's mailbox.
  case delivered
  /// It was handed to a server that sends no reports of success.
  case relayed
  /// It went to the members of a list or alias, of whom nothing will be reported.
  case expanded
}

/// What came of a delivery, as it is kept until it is reported and shown meanwhile.
package struct DeliveryNote: Hashable, Sendable {
  package var action: ReportAction
  package var status: EnhancedStatus
  /// The name of the server that was spoken to; nil where it did not come to that.
  package var host: String?
  /// Its words: `550 5.1.1 No such user`.
  package var reply: String?
  /// Ours, where the server gave none.
  package var explanation: String?

  package init(
    _ action: ReportAction, _ status: EnhancedStatus, host: String? = nil, reply: String? = nil,
    explanation: String? = nil
  ) {
    self.action = action
    self.status = status
    self.host = host
    self.reply = reply
    self.explanation = explanation
  }

  /// One line, its fields separated by tabs.
  package var encoded: String {
    [action.rawValue, status.description, host ?? "", reply ?? "", explanation ?? ""]
      .map { $0.singleLine(upTo: 4_000) }.joined(separator: "\t")
  }

  /// Nil where the text was not made by `encoded`.
  package init?(decoding text: String) {
    let fields = text.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 5, let action = ReportAction(rawValue: fields[0]) else { return nil }
    let numbers = fields[1].split(separator: ".").compactMap { UInt16($0) }
    guard numbers.count == 3 else { return nil }
    func optional(_ field: String) -> String? { field.isEmpty ? nil : field }
    self.init(
      action, EnhancedStatus(numbers[0], numbers[1], numbers[2]), host: optional(fields[2]), reply: optional(fields[3]),
      explanation: optional(fields[4]))
  }
}

/// A recipient in a report.
package struct ReportedRecipient: Hashable, Sendable {
  /// As it stood in the envelope here.
  package var address: EmailAddress
  /// ORCPT.
  package var original: RecipientParameters.OriginalRecipient?
  package var note: DeliveryNote
  package var lastAttempt: DateTime?
  /// Only for `delayed`: when it is given up.
  package var triesUntil: DateTime?

  package init(
    address: EmailAddress, original: RecipientParameters.OriginalRecipient? = nil, note: DeliveryNote,
    lastAttempt: DateTime? = nil, triesUntil: DateTime? = nil
  ) {
    self.address = address
    self.original = original
    self.note = note
    self.lastAttempt = lastAttempt
    self.triesUntil = triesUntil
  }
}
