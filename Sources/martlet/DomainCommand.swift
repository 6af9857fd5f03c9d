import ArgumentParser
import MailServer

struct DomainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domain", abstract: "Domains that mail is received for.",
    subcommands: [Add.self, Remove.self, List.self, Dkim.self])

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

  struct Dkim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "dkim", abstract: "Make the keys that sign a domain's mail, and show what to put into DNS.",
      discussion: """
        A key signs once its record is in DNS; a running server looks every ten minutes, and when this command is run. \
        After 150 days it makes the next ones and says so in the log: publish those too, and leave the old records \
        where they are until their keys are gone from this list.
        """)
    @Argument var domain: String
    @Flag(help: "Make new keys now. They take over when their records are in DNS.") var rotate = false
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.domainKeys(domain, replaces: rotate)) }
  }
}

func lines(of keys: [DomainKeySummary]) -> [String] {
  keys.flatMap { key in
    let state =
      switch key.stage {
      case "made": "waits for its record in DNS since \(key.since)"
      case "published": "is in DNS since \(key.since), and will sign"
      case "signing": "signs since \(key.since)"
      default: "signs no more since \(key.since); leave its record for two weeks"
      }
    return ["; \(key.selector) (\(key.algorithm)) \(state)", key.zoneLine]
  }
}
