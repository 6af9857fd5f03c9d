import Bytes
import MailStore

/// `STORE` and `UID STORE`.  RFC 9051 §6.4.6.
struct Store: SelectedCommand {
  let messages: SequenceSet
  let numbering: MessageNumbering
  let change: FlagChange
  let isSilent: Bool

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    numbering = context.numbering
    try arguments.expectSpace()
    messages = try arguments.sequenceSet()
    try arguments.expectSpace()
    let sign = arguments.peek
    if sign == 0x2B || sign == 0x2D { _ = arguments.next() }
    switch try arguments.keyword() {
    case "FLAGS": isSilent = false
    case "FLAGS.SILENT": isSilent = true
    default: throw arguments.expected("FLAGS or FLAGS.SILENT")
    }
    try arguments.expectSpace()
    let flags = try arguments.storeFlags()
    try arguments.expectEnd()
    switch sign {
    case 0x2B: change = .add(flags)
    case 0x2D: change = .remove(flags)
    default: change = .replace(flags)
    }
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    guard mailbox.access == .readWrite else { throw .readOnly }
    let set = try mailbox.resolve(messages, by: numbering)
    let uids = mailbox.uids(in: set)
    if uids.isEmpty { return Completion("No messages") }
    // What others changed before is to be told even where this change is silent.
    let toldLater = mailbox.pending.flagged
    let result = try await fromStore(
      await session.services.store.changeFlags(in: mailbox.id, uids: uids, change, unchangedSince: nil))
    try await mailbox.absorb(from: session.services.store)

    for state in result.states {
      guard let index = mailbox.index(of: state.uid) else { continue }
      if isSilent {
        // A change by someone else that came after ours shows in the mod-sequence.
        if mailbox.modSequences[index] <= state.modSequence, !toldLater.contains(state.uid) {
          mailbox.flagsWereTold(state.uid)
        }
      } else {
        if mailbox.announceKeywords(of: index) { session.appendFlags(of: mailbox) }
        session.appendFlagsFetch(of: index, in: mailbox, withUID: numbering == .uids || session.speaksRev2)
        try await session.flushIfFull()
      }
    }
    // RFC 2180 §4.2.1: with .SILENT there is nothing to miss. §4.2.3: without, the client waits for flags that don't
    // come.
    if numbering == .sequenceNumbers, !isSilent, set.indices.contains(where: { mailbox.isGone(at: $0) }) {
      throw .expungeIssued
    }
    return Completion("Stored")
  }
}
