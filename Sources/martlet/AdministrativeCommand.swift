import ArgumentParser
import Logging
import MailServer
import MailStore
import MailTransfer
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What all commands that ask the server for something share: where it is, and how the reply is printed.
struct AdministrativeOptions: ParsableArguments {
  @OptionGroup var source: ConfigurationOptions
  @Flag(help: "Print JSON.") var json = false

  /// Has the operation done and prints the reply.
  @discardableResult
  func perform(
    _ operation: AdministrativeOperation, print: (AdministrativeReply) -> Void = printReply
  ) async throws -> AdministrativeReply {
    let limits = try source.load().configuration.sendingLimits
    return try await perform(print: print) { directory, logger, bar in
      await administer(
        operation, dataDirectory: directory, clock: .system, logger: logger, sendingLimits: limits, progress: bar.show)
    }
  }

  /// Runs what needs the data directory, with a progress bar, and prints the reply.
  @discardableResult
  func perform(
    print: (AdministrativeReply) -> Void = printReply,
    _ work: (_ directory: String, Logger, ProgressBar) async -> AdministrativeReply
  ) async throws -> AdministrativeReply {
    let directory = try source.load().configuration.dataDirectory
    let output = Self.log()
    let bar = ProgressBar()
    let reply = await work(directory, output.logger("command"), bar)
    bar.end()
    output.close()
    if case .failed(let text) = reply {
      complainOf(text)
      throw ExitCode.failed
    }
    if json { say(MartletJSON.text(of: reply)) } else { print(reply) }
    return reply
  }

  /// Has mail travel, with a progress bar; `body` is given what it needs for that.
  func transfer<Report>(
    _ body: (Transfer) async throws(TransferError) -> Report
  ) async throws -> Report {
    let configuration = try source.load().configuration
    let output = Self.log()
    let bar = ProgressBar()
    defer {
      bar.end()
      output.close()
    }
    do throws(TransferError) {
      return try await body(
        Transfer(
          directory: configuration.dataDirectory, messageSize: configuration.limits.messageSize,
          logger: output.logger("command"), progress: bar.show))
    } catch {
      bar.end()
      complainOf(error.description)
      throw ExitCode.failed
    }
  }

  struct Transfer {
    var directory: String
    /// Octets of one message.
    var messageSize: Int
    var logger: Logger
    var progress: ProgressHandler
  }

  /// The reply, and not a word about it.
  func quietly(_ operation: AdministrativeOperation) async throws -> AdministrativeReply {
    let directory = try source.load().configuration.dataDirectory
    let output = Self.log()
    defer { output.close() }
    return await administer(operation, dataDirectory: directory, clock: .system, logger: output.logger("command"))
  }

  func complainOf(_ text: String) {
    if json { say(MartletJSON.failure(text)) }
    complain(text)
  }

  private static func log() -> LogOutput {
    LogOutput(writer: LogWriter(descriptor: STDERR_FILENO), format: .logfmt, level: .warning, clock: .system)
  }
}

/// Replies as scripts read them: the data itself, without the case around it.
enum MartletJSON {
  static func failure(_ text: String) -> String { json(["error": text]) }

  static func text(of reply: AdministrativeReply) -> String {
    switch reply {
    case .progress(let progress): json(progress)
    case .done(let text): json(["done": text])
    case .status(let status): json(status)
    case .domains(let domains): json(domains)
    case .domainKeys(let keys): json(keys)
    case .mailDomain(let domain): json(domain)
    case .accounts(let accounts): json(accounts)
    case .account(let account): json(account)
    case .appPasswords(let passwords): json(passwords)
    case .appPassword(let label, let password): json(["label": label, "password": password])
    case .accountDetails(let details): json(details)
    case .sendAs(let patterns): json(patterns)
    case .sendingLimits(let limits): json(limits)
    case .aliases(let aliases): json(aliases)
    case .verification(let report): json(report)
    case .compaction(let report): json(report)
    case .repair(let report): json(report)
    case .searchIndex(let index): json(index)
    case .statistics(let report): json(report)
    case .backup(let report): json(report)
    case .restoredStore(let report): json(report)
    case .restoredMessages(let report): json(report)
    case .messages(let list): json(list)
    case .undeleted(let report): json(report)
    case .queue(let list): json(list)
    case .stream: json([String: String]())
    case .failed(let text): failure(text)
    }
  }
}

/// Replies as a person reads them: one thing a line.
func printReply(_ reply: AdministrativeReply) {
  switch reply {
  // Shown while the operation runs, by the progress bar; and what only the commands for mail ask for.
  case .progress, .stream: break
  case .done(let text): say(text)
  case .status(let status):
    say("martlet \(status.version) on \(status.hostname), \(status.connections) connections")
    for listener in status.listeners { say("  \(listener)") }
  case .domains(let domains): for domain in domains { say(domain) }
  case .domainKeys(let keys): for line in lines(of: keys) { say(line) }
  case .mailDomain(let domain): say(domain.domain)
  case .accounts(let accounts): for account in accounts { say(line(account)) }
  case .account(let account): say(line(account))
  case .appPasswords(let passwords): for password in passwords { say("\(password.created)  \(password.label)") }
  case .appPassword(_, let password):
    say(password)
    complain("this password is shown only now")
  case .accountDetails(let details): for line in lines(of: details) { say(line) }
  case .sendAs(let patterns): for pattern in patterns { say(pattern) }
  case .sendingLimits(let limits): for line in lines(of: limits) { say(line) }
  case .aliases(let aliases): for alias in aliases { say(line(alias)) }
  case .verification(let report): for line in lines(of: report) { say(line) }
  case .compaction(let report): for line in lines(of: report) { say(line) }
  case .repair(let report): for line in lines(of: report) { say(line) }
  case .searchIndex(let index): for line in lines(of: index) { say(line) }
  case .statistics(let report): for line in lines(of: report) { say(line) }
  case .backup(let report): for line in lines(of: report) { say(line) }
  case .restoredStore(let report): for line in lines(of: report) { say(line) }
  case .restoredMessages(let report): for line in lines(of: report) { say(line) }
  case .messages(let list): for line in lines(of: list) { say(line) }
  case .queue(let list): for line in lines(of: list) { say(line) }
  case .undeleted(let report): for line in lines(of: report) { say(line) }
  case .failed(let text): complain(text)
  }
}

func line(_ account: AccountSummary) -> String {
  var parts = [
    account.address, "\(account.usage.messages ?? 0) messages", bytes(account.usage.bytes, account.quota.bytes),
  ]
  if let limit = account.quota.messages { parts[1] += " of \(limit)" }
  if !account.hasPassword { parts.append("no password") }
  if !account.appPasswords.isEmpty { parts.append("app passwords: \(account.appPasswords.joined(separator: ", "))") }
  return parts.joined(separator: "  ")
}

private func bytes(_ used: Int64?, _ limit: Int64?) -> String {
  let used = roundedSize(used ?? 0)
  return limit.map { "\(used) of \(shownSize(Int($0)))" } ?? used
}

func roundedSize(_ size: Int64) -> String {
  switch size {
  case ..<10_000: "\(size) B"
  case ..<10_000_000: "\(size / 1_000) KB"
  case ..<10_000_000_000: "\(size / 1_000_000) MB"
  default: "\(size / 1_000_000_000) GB"
  }
}

struct Healthcheck: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the running server whether it is well (exit code 0 or 1).")
  @OptionGroup var options: AdministrativeOptions

  func run() async throws {
    let directory = try options.source.load().configuration.dataDirectory
    guard case .status(let status)? = askServer(.status, dataDirectory: directory, seconds: 5), status.isReady else {
      if options.json { say(MartletJSON.failure("no server answers")) }
      complain("no server answers at \(controlSocketPath(in: directory))")
      throw ExitCode.failed
    }
    if options.json { say(json(status)) } else { printReply(.status(status)) }
  }
}
