import Logging
package import MailStore
package import MessageFormat
import SMTP

// What of the queue the store keeps and does not read.

extension QueuedMessage {
  var mailParameters: MailParameters { (try? MailParameters(written: parameters.utf8)) ?? MailParameters() }

  /// Until when its sender wants it held back.  RFC 4865.
  package var heldUntil: Timestamp? { mailParameters.holdUntil }
}

extension QueuedRecipient {
  var recipientParameters: RecipientParameters {
    (try? RecipientParameters(written: parameters.utf8)) ?? RecipientParameters()
  }

  /// NOTIFY; nil where the sender has not said.
  var notify: NotifyConditions? { recipientParameters.notify }

  /// Whether its sender wants to hear of it.  RFC 3461 §4.1: without NOTIFY of failures, and of delays where we please.
  func wants(_ action: ReportAction) -> Bool {
    switch action {
    case .failed: notify?.contains(.failure) ?? true
    case .delayed: notify?.contains(.delay) ?? true
    case .delivered, .relayed, .expanded: notify?.contains(.success) ?? false
    }
  }
}

extension QueuedDelivery {
  /// What every log line about one of its recipients has.
  func metadata(_ recipient: QueuedRecipient, status: String, reply: String) -> Logger.Metadata {
    [
      "queue_id": "\(message.id.rawValue)", "from": "\(message.sender.map { "\($0)" } ?? "")",
      "to": "\(recipient.address)", "status": "\(status)", "reply": "\(reply)",
    ]
  }
}
