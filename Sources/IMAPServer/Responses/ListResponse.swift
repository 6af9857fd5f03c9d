import MailStore

/// One line of LIST or LSUB.  RFC 9051 §7.3.1.
struct ListResponse: Sendable {
  /// In the order they are written.
  var attributes: [String]
  var name: String
  /// RFC 5258 §3.5: some inferior matches the selection though it does not match the pattern.
  var hasSubscribedInferior = false
}

extension IMAPSession {
  mutating func append(_ response: ListResponse, as command: StaticString) {
    output.append("* ")
    output.append(command)
    output.append(" (")
    output.append(text: response.attributes.joined(separator: " "))
    output.append(") \"/\" ")
    output.append(mailbox: response.name, mailboxNames)
    if response.hasSubscribedInferior { output.append(" (\"CHILDINFO\" (\"SUBSCRIBED\"))") }
    output.endLine()
  }
}
