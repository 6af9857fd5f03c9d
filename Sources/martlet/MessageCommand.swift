import ArgumentParser
import MailServer

struct MessageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "message", abstract: "Messages of an account, also those that were deleted.",
    subcommands: [List.self, Restore.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List messages, the newest first; with --deleted those that can be restored.")
    @Argument var address: String
    @Flag(help: "What was expunged, the last first.") var deleted = false
    @Option(help: ArgumentHelp("Only of this mailbox.", valueName: "name")) var mailbox: String?
    @Option(help: ArgumentHelp("The most to list, up to 10000.", valueName: "count")) var limit = 1_000
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      try await options.perform(
        .listMessages(address: address, mailbox: mailbox, isDeleted: deleted, limit: limit))
    }
  }

  struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Bring deleted messages back into the mailbox they were in, beside what is there.",
      discussion: """
        Name them by the IDs that `martlet message list --deleted` shows, or name a mailbox. A mailbox that is gone is \
        made again. Exit code 2: some of the IDs are not among the deleted messages.
        """)
    @Argument var address: String
    @Argument(help: "IDs such as 12.345.") var ids: [String] = []
    @Option(help: ArgumentHelp("All that was deleted from this mailbox.", valueName: "name")) var mailbox: String?
    @Option(help: ArgumentHelp("With --mailbox: deleted on this day (UTC) or later.", valueName: "YYYY-MM-DD"))
    var since: String?
    @Option(help: ArgumentHelp("Put them into this mailbox instead.", valueName: "name")) var into: String?
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      guard ids.isEmpty != (mailbox == nil) else {
        throw ValidationError("name the messages by their IDs, or a mailbox by --mailbox")
      }
      if since != nil, mailbox == nil { throw ValidationError("--since goes with --mailbox") }
    }

    func run() async throws {
      let reply = try await options.perform(
        .undeleteMessages(address: address, ids: ids, mailbox: mailbox, since: since, into: into))
      if case .undeleted(let report) = reply, !report.notFound.isEmpty { throw ExitCode.warnings }
    }
  }
}

func lines(of list: MessageList) -> [String] {
  list.messages.map { message in
    let deleted = message.deleted.map { "deleted \($0)  " } ?? ""
    return "\(message.id)  \(deleted)\(message.mailbox)  \(message.date)  \(roundedSize(message.size))  "
      + "\(message.from)  \(message.subject)"
  } + (list.isCutOff ? ["… and more: see --limit and --mailbox"] : [])
}

func lines(of report: UndeleteReport) -> [String] {
  var counts: [String: Int] = [:]
  for message in report.restored { counts[message.mailbox, default: 0] += 1 }
  return (counts.isEmpty ? ["nothing to restore"] : [])
    + counts.sorted { $0.key < $1.key }.map { "\($0.value) restored into \($0.key)" }
    + report.notFound.map { "\($0) is not among the deleted messages" }
}
