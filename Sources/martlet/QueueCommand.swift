import ArgumentParser
import MailServer
import MailStore

struct QueueCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Mail that waits for other servers.",
    subcommands: [List.self, Show.self, Retry.self, Hold.self, Release.self, Drop.self])

  /// Which messages are meant.
  struct Filter: ParsableArguments {
    @Argument(help: "IDs that `martlet queue list` shows.") var ids: [Int64] = []
    @Option(help: ArgumentHelp("Only from this sender.", valueName: "address")) var from: String?
    @Option(help: ArgumentHelp("Only for recipients in this domain.", valueName: "domain")) var to: String?

    func text(isHeld: Bool = false) -> QueueFilterText {
      QueueFilterText(ids: ids, sender: from, destination: to, isHeld: isHeld)
    }
  }

  /// As `Filter`, where everything must be asked for.
  struct Selection: ParsableArguments {
    @OptionGroup var filter: Filter
    @Flag(help: "All of the queue.") var all = false

    func validate() throws {
      guard all != (!filter.ids.isEmpty || filter.from != nil || filter.to != nil) else {
        throw ValidationError("name messages by their IDs, --from or --to, or everything by --all")
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List what waits, the oldest first.")
    @OptionGroup var filter: Filter
    @Flag(help: "Only what is held.") var held = false
    @Option(help: ArgumentHelp("The most to list, up to 10000.", valueName: "count")) var limit = 1_000
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      try await options.perform(.listQueue(filter.text(isHeld: held), limit: limit))
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show one message, and what became of each recipient.")
    @Argument var id: Int64
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let reply = try await options.perform(.listQueue(QueueFilterText(ids: [id]), limit: 1)) { reply in
        if case .queue(let list) = reply { for line in list.messages.flatMap(details) { say(line) } }
      }
      guard case .queue(let list) = reply, list.messages.isEmpty else { return }
      complain("there is no message \(id) in the queue")
      throw ExitCode.failed
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Try now, whatever was planned; lets go what is held.")
    @OptionGroup var selection: Selection
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.changeQueue(.retry, selection.filter.text())) }
  }

  struct Hold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Keep from being sent until it is released.")
    @OptionGroup var selection: Selection
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.changeQueue(.hold, selection.filter.text())) }
  }

  struct Release: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let go what is held, and what its sender holds back.")
    @OptionGroup var selection: Selection
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.changeQueue(.release, selection.filter.text())) }
  }

  struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take out of the queue for good. Nobody is told.")
    @OptionGroup var selection: Selection
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.changeQueue(.drop, selection.filter.text())) }
  }
}

func lines(of list: QueueList) -> [String] {
  var lines: [String] = []
  for message in list.messages {
    let sender = message.sender.isEmpty ? "<>" : message.sender
    lines.append("\(message.id)  \(message.created)  \(roundedSize(Int64(message.size)))  \(sender)"
      + (message.heldUntil.map { "  held back until \($0)" } ?? ""))
    lines += message.recipients.map { "    \(line($0))" }
  }
  if list.isCutOff { lines.append("… and more: see --limit, --from and --to") }
  let held = list.held > 0 ? ", \(list.held) held" : ""
  lines.append("\(list.waiting) \(list.waiting == 1 ? "recipient waits" : "recipients wait")\(held)")
  return lines
}

private func details(of message: QueuedMessageSummary) -> [String] {
  [
    "queue ID  \(message.id)", "from      \(message.sender.isEmpty ? "<>" : message.sender)",
  ] + (message.user.map { ["account   \($0)"] } ?? []) + [
    "size      \(message.size) octets", "accepted  \(message.created)",
  ] + (message.heldUntil.map { ["held back \($0)"] } ?? []) + [
    "given up  \(message.expires)",
  ] + message.recipients.flatMap { ["to        \(line($0))", "by        \($0.transport)"] }
}

private func line(_ recipient: QueuedMessageSummary.Recipient) -> String {
  var parts = [recipient.address, recipient.state]
  if let next = recipient.nextAttempt { parts.append("next at \(next)") }
  if recipient.attempts > 0 { parts.append("\(recipient.attempts) attempts") }
  if let problem = recipient.problem { parts.append("\(recipient.host.map { "\($0): " } ?? "")\(problem)") }
  return parts.joined(separator: "  ")
}
