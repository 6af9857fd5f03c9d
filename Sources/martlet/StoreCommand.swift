import ArgumentParser
import MailServer
import MailStore
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store", abstract: "The store that keeps the mail.",
    subcommands: [Stats.self, Verify.self, Repair.self, Compact.self, Index.self, Backup.self, Restore.self])

  struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what the store holds, the room it takes, and how fast it works.")
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.storeStatistics) }
  }

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

  struct Compact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give back the room of mail that was deleted for good.",
      discussion: """
        Works while the server runs, which does it by itself, every hour, for packs of which half is no longer needed; \
        here a quarter is enough. Each pack takes as much room as what is left in it until the old one is removed. \
        Interrupt it at will.
        """)
    @Option(
      help: ArgumentHelp(
        "How much to read and write a second. [default: 32MB while a server runs, else as much as it can]",
        valueName: "size"))
    var rate: String?
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      if let rate, parseSize(rate) ?? 0 <= 0 {
        throw ValidationError("--rate \(rate): expected a size such as 20MB")
      }
    }

    func run() async throws {
      try await options.perform(.compactStore(octetsPerSecond: rate.flatMap(parseSize).map { Int64($0) }))
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

  struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Copy the store into a directory, or bring the backup there up to date.",
      discussion: """
        Works while the server runs. Only mail that is new since the last time is copied, with its checksums looked at. \
        Exit code 1: nothing was backed up, or something is damaged.
        """)
    @Argument(help: "A directory of its own for the backup, on another disk.", completion: .directory)
    var directory: String
    @Flag(help: "Look at all of the backup when it is done.") var verify = false
    @Option(help: ArgumentHelp("How much to copy a second. [default: as much as it can]", valueName: "size"))
    var rate: String?
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      if let rate, parseSize(rate) ?? 0 <= 0 {
        throw ValidationError("--rate \(rate): expected a size such as 20MB")
      }
    }

    func run() async throws {
      let octets = rate.flatMap(parseSize).map { Int64($0) }
      let reply = try await options.perform(
        .backUpStore(directory: absolutePath(directory), verifies: verify, octetsPerSecond: octets))
      guard case .backup(let report) = reply, !report.isSound else { return }
      throw ExitCode.failed
    }
  }

  struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Bring back a backup: all of it, or what an account is missing.",
      discussion: """
        With --account it appends what is not there, while the server runs, and takes nothing away. Without, it brings \
        back everything with its UIDs, only while no server runs, into a data directory that has no store. Exit code 2: \
        some messages are damaged in the backup.
        """)
    @Argument(help: "The directory of the backup.", completion: .directory) var directory: String
    @Option(help: ArgumentHelp("Restore only into this account.", valueName: "address")) var account: String?
    @Option(help: ArgumentHelp("Only this mailbox of it.", valueName: "name")) var mailbox: String?
    @Option(help: ArgumentHelp("Only this message of the mailbox.", valueName: "UID")) var message: UInt32?
    @Option(help: ArgumentHelp("Restore into this mailbox, or below it.", valueName: "name")) var into: String?
    @Flag(help: "Only say what would be restored.") var dryRun = false
    @Flag(help: "Move a store that is in the data directory aside.") var replace = false
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      if account == nil, mailbox != nil || message != nil || into != nil || dryRun {
        throw ValidationError("--mailbox, --message, --into and --dry-run need --account")
      }
      if message != nil, mailbox == nil {
        throw ValidationError("--message needs --mailbox: a UID is one in its mailbox")
      }
      if message == 0 { throw ValidationError("--message 0: UIDs begin with 1") }
      if account != nil, replace {
        throw ValidationError("--replace is for a whole restore; --account takes nothing away")
      }
    }

    func run() async throws {
      let source = absolutePath(directory)
      guard let account else {
        try await options.perform { directory, _, bar in
          await restoreStore(
            from: source, to: directory, replaces: replace, clock: .system, progress: bar.show)
        }
        return
      }
      let text = RestoreText(
        account: account, mailbox: mailbox, uid: message, destination: into, isDryRun: dryRun)
      let reply = try await options.perform(.restoreMessages(directory: source, text))
      if case .restoredMessages(let report) = reply, report.damaged > 0 { throw ExitCode.warnings }
    }
  }
}

/// As the server, which has another working directory, can find it.
private func absolutePath(_ path: String) -> String {
  guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
  defer { free(directory) }
  return "\(String(cString: directory))/\(path)"
}
