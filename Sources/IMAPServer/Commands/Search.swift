import Bytes
import MailStore
import MessageFormat

/// `SEARCH` and `UID SEARCH`.  RFC 9051 §6.4.4, RFC 4731, RFC 5182.
struct Search: SelectedCommand {
  let numbering: MessageNumbering
  let program: SearchProgram

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    numbering = context.numbering
    program = try arguments.searchProgram(speaksRev2: context.speaksRev2)
  }

  func run(in session: inout IMAPSession, on mailbox: SelectedMailbox) async throws(IMAPFailure) -> Completion {
    let saves = program.options?.contains(.save) == true
    var found: [Int] = []
    do throws(IMAPFailure) {
      if program.hasUnknownCharset { throw .badCharset }
      let evaluator = SearchEvaluator(
        program.key, mailbox, session.services.store, now: session.services.clock.now())
      found = try await evaluator.run()
    } catch {
      // RFC 5182 §2.1: a search that fails leaves an empty result.
      if saves { mailbox.savedResult = [] }
      throw error
    }
    if saves { mailbox.savedResult = toSave(found).map { mailbox.uids[$0] } }
    if let options = program.options {
      if options != .save { appendExtended(found, options, to: &session, mailbox) }
    } else {
      session.output.append("* SEARCH")
      for index in found {
        session.output.append(0x20)
        session.output.append(number: number(of: index, mailbox))
        try await session.flushIfFull()
      }
      session.output.endLine()
    }
    return Completion("Searched")
  }

  private func number(of index: Int, _ mailbox: SelectedMailbox) -> UInt32 {
    numbering == .uids ? mailbox.uids[index].rawValue : UInt32(clamping: index + 1)
  }

  /// RFC 5182 §2.4: MIN and MAX alone save only what they return.
  private func toSave(_ found: [Int]) -> [Int] {
    guard let options = program.options, let first = found.first, let last = found.last,
      options.isDisjoint(with: [.all, .count]), !options.isDisjoint(with: [.min, .max])
    else { return found }
    var kept: [Int] = []
    if options.contains(.min) { kept.append(first) }
    if options.contains(.max), kept.last != last { kept.append(last) }
    return kept
  }

  /// `esearch-response`. The tag is a quoted string: an atom breaks Outlook under IMAP4rev1.
  private func appendExtended(
    _ found: [Int], _ options: SearchReturnOptions, to session: inout IMAPSession, _ mailbox: SelectedMailbox
  ) {
    session.output.append("* ESEARCH (TAG \"")
    for byte in session.currentTag {
      if byte == 0x22 || byte == 0x5C { session.output.append(0x5C) }
      session.output.append(byte)
    }
    session.output.append("\")")
    if numbering == .uids { session.output.append(" UID") }
    if let first = found.first, let last = found.last {
      if options.contains(.min) {
        session.output.append(" MIN ")
        session.output.append(number: number(of: first, mailbox))
      }
      if options.contains(.max) {
        session.output.append(" MAX ")
        session.output.append(number: number(of: last, mailbox))
      }
      if options.contains(.all) {
        session.output.append(" ALL ")
        switch numbering {
        case .uids: session.output.append(uidSet: found.map { mailbox.uids[$0] })
        case .sequenceNumbers: session.output.append(sequenceSet: MessageSet(ascending: found))
        }
      }
    }
    if options.contains(.count) {
      session.output.append(" COUNT ")
      session.output.append(number: found.count)
    }
    session.output.endLine()
  }
}
