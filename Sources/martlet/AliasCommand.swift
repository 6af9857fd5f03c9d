import ArgumentParser
import MailServer

struct AliasCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alias", abstract: "Addresses that lead to others.",
    discussion: "An alias of @example.org answers for every address of the domain that nothing else answers for.",
    subcommands: [Add.self, Remove.self, List.self])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Add an alias, or replace its targets.")
    @Argument(help: "An address, or @domain.") var alias: String
    @Argument(help: "Where it leads: one or several addresses.") var targets: [String]
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.addAlias(pattern: alias, targets: targets)) }
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
