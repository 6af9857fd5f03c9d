import ArgumentParser
import MailServer

struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store", abstract: "The store that keeps the mail.", subcommands: [Index.self])

  struct Index: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show how far the search index is, or make it anew.",
      discussion: """
        The index only makes searches faster: what is not in it is read. A running server makes it anew beside its other \
        work, also when this command is interrupted.
        """)
    @Flag(help: "Throw the index away and make it anew from the mail.") var rebuild = false
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.searchIndex(rebuild: rebuild)) }
  }
}
