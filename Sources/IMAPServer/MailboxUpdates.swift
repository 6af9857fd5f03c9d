import MailStore
import Networking

/// How a session tells its client what other sessions have done to the selected mailbox: at the end of a command, in
/// front of its tagged reply, and during IDLE. Old clients break on updates in other places, so there are no others.
extension IMAPSession {
  /// - Parameter numbers: `.keeps` holds expunges back.  RFC 9051 §7.5.1.
  mutating func tellUpdates(_ numbers: IMAPCommandFact.SequenceNumberEffect) async throws(ConnectionError) {
    guard let mailbox = state.mailbox else { return }
    do throws(IMAPFailure) {
      try await mailbox.absorb(from: services.store)
    } catch {
      // The feed lagged and the store can't be read: the view stays as it is, and the next command tries again.
      if case .connectionLost(let cause) = error { throw cause }
      return
    }
    if mailbox.pending.isEmpty { return }

    if numbers == .mayShrink {
      for number in mailbox.removeGone() {
        output.append("* ")
        output.append(number: number)
        output.append(" EXPUNGE\r\n")
        if output.isFull { try await flush() }
      }
    }
    if let first = mailbox.pending.arrived.first {
      let firstRecent = mailbox.access == .readWrite ? services.store.claimRecent(in: mailbox.id) : first.uid
      let arrived = mailbox.pending.arrived.count
      if mailbox.admitArrivals(firstRecent: firstRecent) {
        var hasNewKeywords = false
        for index in mailbox.count - arrived..<mailbox.count where mailbox.announceKeywords(of: index) {
          hasNewKeywords = true
        }
        if hasNewKeywords { appendFlags(of: mailbox) }
        appendCounts(of: mailbox)
        mailbox.hasToldArrivalsInCommand = idling == nil
      }
    }
    for index in mailbox.takeFlagged() {
      if mailbox.announceKeywords(of: index) { appendFlags(of: mailbox) }
      appendFlagsFetch(of: index, in: mailbox, withUID: speaksRev2)
      if output.isFull { try await flush() }
    }
  }

  /// `EXISTS`, and `RECENT` for who still wants it.
  mutating func appendCounts(of mailbox: SelectedMailbox) {
    output.append("* ")
    output.append(number: mailbox.count)
    output.append(" EXISTS\r\n")
    if speaksRev2 { return }
    output.append("* ")
    output.append(number: mailbox.recentCount)
    output.append(" RECENT\r\n")
  }

  /// `FLAGS` and `PERMANENTFLAGS`.  RFC 9051 §7.3.5, §7.1.
  mutating func appendFlags(of mailbox: SelectedMailbox) {
    let system: SystemFlags = [.answered, .flagged, .deleted, .seen, .draft]
    let flags = MessageFlags(system, keywords: mailbox.announcedKeywords.sorted())
    output.append("* FLAGS ")
    output.append(flags)
    output.append("\r\n* OK [PERMANENTFLAGS ")
    switch mailbox.access {
    case .readWrite:
      output.append(flags)
      output.bytes.removeLast()
      output.append(" \\*)] Kept, and new keywords may be made\r\n")
    case .readOnly: output.append("()] Nothing can be changed here\r\n")
    }
  }

  /// `* n FETCH (FLAGS …)` of a message, whose flags are told by it.
  mutating func appendFlagsFetch(of index: Int, in mailbox: SelectedMailbox, withUID: Bool) {
    output.append("* ")
    output.append(number: index + 1)
    output.append(" FETCH (")
    if withUID {
      output.append("UID ")
      output.append(mailbox.uids[index])
      output.append(0x20)
    }
    output.append("FLAGS ")
    output.append(mailbox.messageFlags(at: index), isRecent: !speaksRev2 && mailbox.isRecent(at: index))
    output.append(")\r\n")
    mailbox.flagsWereTold(mailbox.uids[index])
  }
}
