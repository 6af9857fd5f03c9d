import ArgumentParser
import MailServer
import MailStore
import MessageFormat

struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store", abstract: "The store that keeps the mail.", subcommands: [Verify.self, Repair.self, Index.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Look at everything in the store: every checksum, and all that must hold.",
      discussion: """
        Works while the server runs, and changes nothing. Exit code 0: nothing is wrong; 2: there is something to look \
        at, and no mail is harmed; 1: something is damaged.
        """)
    @Flag(help: "Also compare every index of the database with its table (always done while no server runs).")
    var thorough = false
    @Option(
      help: ArgumentHelp(
        "How much to read a second. [default: 32MB while a server runs, else as much as it can]", valueName: "size"))
    var rate: String?
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      if let rate, parseSize(rate) ?? 0 <= 0 {
        throw ValidationError("--rate \(rate): expected a size such as 20MB")
      }
    }

    func run() async throws {
      let octets = rate.flatMap(parseSize).map { Int64($0) }
      let reply = try await options.perform(.verifyStore(isThorough: thorough, octetsPerSecond: octets))
      guard case .verification(let report) = reply, !report.findings.isEmpty else { return }
      throw report.hasDamage ? ExitCode.failed : ExitCode.warnings
    }
  }

  struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Rebuild store.db from the packs, after showing what will be done.",
      discussion: """
        Only while no server runs. Nothing is changed before you say so, and the old store.db is kept. Exit code 0: \
        done, or nothing to do; 2: done, and messages were lost; 1: not done.
        """)
    @Flag(help: "Do it without asking.") var yes = false
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let reply = try await options.perform { directory, logger, bar in
        await repairStore(in: directory, clock: .system, logger: logger, progress: bar.show) { plan in
          bar.end()
          if yes { return true }
          if options.json { return false }
          for line in lines(of: plan) { say(line) }
          return confirms("Do this?")
        }
      }
      guard case .repair(let report) = reply else { return }
      switch report.outcome {
      case .notNeeded: return
      case .notConfirmed: throw ExitCode.failed
      case .done: if report.plan.lostCount > 0 { throw ExitCode.warnings }
      }
    }
  }

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
