import MailStore

extension IMAPSession {
  /// `* STATUS name (item value …)`.  RFC 9051 §7.3.4.
  mutating func appendStatus(_ items: [StatusItem], of mailbox: Mailbox) async throws(IMAPFailure) {
    // The one count that the store does not keep: it is asked for by old clients only.
    let recent = items.contains(.recent) ? try await recentCount(of: mailbox) : 0
    output.append("* STATUS ")
    output.append(mailbox: mailbox.name.text, mailboxNames)
    output.append(" (")
    var isFirst = true
    for item in items {
      if isFirst { isFirst = false } else { output.append(0x20) }
      output.append(text: item.rawValue)
      output.append(0x20)
      switch item {
      case .messages: output.append(number: mailbox.messageCount)
      case .recent: output.append(number: recent)
      case .uidNext: output.append(mailbox.uidNext)
      case .uidValidity: output.append(number: mailbox.uidValidity.rawValue)
      case .unseen: output.append(number: mailbox.unseenCount)
      case .deleted: output.append(number: mailbox.deletedCount)
      case .size: output.append(number: mailbox.size)
      case .appendLimit: output.append(number: services.limits.messageSize)
      }
    }
    output.append(")\r\n")
  }

  private func recentCount(of mailbox: Mailbox) async throws(IMAPFailure) -> Int {
    if let selected = state.mailbox, selected.id == mailbox.id { return selected.recentCount }
    if mailbox.firstRecent >= mailbox.uidNext || mailbox.messageCount == 0 { return 0 }
    let uids = try await fromStore(await services.store.index(of: mailbox.id)).uids
    return uids.count - uids.partitionPoint { $0 < mailbox.firstRecent }
  }
}
