import ArgumentParser
import MailServer

struct DomainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domain", abstract: "Domains that mail is received for.",
    subcommands: [Add.self, Remove.self, List.self])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Add a domain.")
    @Argument var domain: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.addDomain(domain)) }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove a domain that nothing is in any more.")
    @Argument var domain: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.removeDomain(domain)) }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the domains.")
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.listDomains) }
  }
}
