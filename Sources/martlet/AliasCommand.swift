import ArgumentParser
import MailServer

struct AliasCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alias", abstract: "Addresses that lead to others, and groups.",
    discussion: """
      An alias of @example.org answers for every address of the domain that nothing else answers for. One with several \
      targets is a group: accounts, addresses elsewhere, and other aliases.
      """,
    subcommands: [Add.self, Remove.self, List.self])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add an alias, or replace its targets.",
      discussion: """
        With --senders it takes mail only from those: accounts that it leads to, accounts of its domain, or the \
        accounts named. Who somebody is is known by login alone, so mail from other servers is then refused. What \
        is not given stays as it is.
        """)
    @Argument(help: "An address, or @domain.") var alias: String
    @Argument(help: "Where it leads: one or several addresses.") var targets: [String]
    @Option(
      help: ArgumentHelp(
        "Who may write to it: anyone, members, domain, or accounts separated by commas.", valueName: "who"))
    var senders: String?
    @Flag(inversion: .prefixedNo, help: "Accounts that it leads to may send as it, even if it leads to others too.")
    var membersSend: Bool?
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      try await options.perform(
        .addAlias(pattern: alias, targets: targets, senders: senders, membersMaySend: membersSend))
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove an alias.")
    @Argument var alias: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.removeAlias(alias)) }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the aliases.")
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.listAliases) }
  }
}

func line(_ alias: AliasSummary) -> String {
  var line = "\(alias.pattern) -> \(alias.targets.joined(separator: ", "))"
  if alias.senders != "anyone" { line += "  from \(alias.senders)" }
  if alias.membersMaySend { line += "  members send" }
  return line
}
