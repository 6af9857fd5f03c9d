import ArgumentParser
import MailServer

@main
struct Martlet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet", abstract: "An all-in-one mail server: SMTP, IMAP and POP3 over one store.",
    version: martletVersion,
    subcommands: [
      Serve.self, Dev.self, DomainCommand.self, AccountCommand.self, AliasCommand.self, MessageCommand.self,
      QueueCommand.self, DNSCommand.self, StoreCommand.self, Import.self, Export.self, ConfigCommand.self,
      Healthcheck.self, Version.self,
    ])
}

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the version.")
  @Flag(help: "Print JSON.") var json = false

  func run() { print(json ? "{\"version\":\"\(martletVersion)\"}" : "martlet \(martletVersion)") }
}
