import ArgumentParser
import MailServer

struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store", abstract: "The store that keeps the mail.", subcommands: [Index.self])

  struct Index: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show how far the search index is, or make it anew.",
      discussion: """
        The index only makes searches faster: what is not in it is read. While a server runs, it makes the index anew \
        beside its other work, and this command shows how far it is; without one this command does it and waits.
        """)
    @Flag(help: "Throw the index away and make it anew from the mail.") var rebuild = false
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.searchIndex(rebuild: rebuild)) }
  }
}
