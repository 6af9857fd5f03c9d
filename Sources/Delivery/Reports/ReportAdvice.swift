import SMTP

/// What a status means for the person who sent the message, and what to do about it.  RFC 3463 §3, RFC 5248.
enum ReportAdvice {
  /// Nil where the status says nothing that helps.
  static func advice(for status: EnhancedStatus) -> String? {
    switch (status.subject, status.detail) {
    case (1, 1), (1, 6), (1, 10):
      "There is no such address. Look for a typing mistake, or ask the recipient in another way for the right one."
    case (1, 2), (4, 4), (4, 3):
      "The part of the address behind the @ leads nowhere. Look for a typing mistake in it."
    case (1, 3): "The address is not written as an address is. Look for a typing mistake."
    case (1, 7), (1, 8): "The other server does not accept your own address as that of a sender."
    case (2, 1): "The mailbox is closed. Ask the recipient in another way for another address."
    case (2, 2): "The recipient's mailbox is full. Try again later, or tell the recipient in another way."
    case (2, 3), (3, 4): "The message is too large. Send less at once, or a link to it."
    case (3, 2), (3, 1), (3, 0): "The other server takes no mail at the moment. That mostly passes."
    case (4, 1), (4, 2):
      "The other server could not be reached. That mostly passes; if it lasts, only its administrator can help."
    case (4, 6): "The servers of the recipient send the message round in a circle. Only their administrator can help."
    case (4, 7): "It was tried until the time for it was over."
    case (5, 3): "The message has too many recipients for the other server. Send it to fewer at once."
    case (6, 3): "The other server takes only plain text in the old form. Send the message without special characters."
    case (6, 7), (6, 9): "The other server takes no addresses or subjects with other than English letters."
    case (7, 1), (7, 0), (7, 2):
      "The other server refuses the message by its own rules. If it is wrong, its words above may say why."
    case (7, 10), (7, 30), (7, 5), (7, 4):
      "No connection could be made that is as safe as this message or its destination asks for."
    case (7, 20...29): "The other server could not make sure that the message comes from who it says."
    default: nil
    }
  }
}
