import ArgumentParser
import MailServer
import MailStore
import MailTransfer
import MessageFormat

/// `--format` names them.
extension MailFormat: ExpressibleByArgument {}

struct Import: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring mail from elsewhere into an account.",
    discussion: """
      SOURCE is a Maildir, an mbox file or a folder of them, a folder of .eml files, or another server: \
      imaps://user@host, or imap://user@host, which turns to TLS before the login. Flags, keywords, dates, mailboxes \
      and subscriptions come along, and UIDs where the mailbox is new or empty. A second run brings what is new and \
      flags that have changed there; one that was interrupted goes on. Quotas are counted and not enforced; \
      limits.message_size is. Exit code 2: some messages could not be imported.
      """)

  @Argument(help: "The account that gets the mail.") var address: String
  @Argument(help: "A path, or imaps://user@host.") var source: String

  @Option(help: "maildir, mbox or eml, where the files do not show it.")
  var format: MailFormat?

  @Option(help: ArgumentHelp("Only this mailbox of the source (repeatable).", valueName: "name"))
  var mailbox: [String] = []

  @Option(
    help: ArgumentHelp("The mailbox that takes what would go to INBOX, with all others below it.", valueName: "name"))
  var into: String?

  @Flag(help: "Only count what would be imported.") var dryRun = false

  @OptionGroup(title: "From another server") var password: PasswordOptions
  @OptionGroup(title: "From another server") var trust: TrustOptions

  @OptionGroup var options: AdministrativeOptions

  func validate() throws {
    if let into, MailboxName(into) == nil { throw ValidationError("--into \(into): no mailbox can be called so") }
  }

  func run() async throws {
    let plan = ImportPlan(
      source: try importSource(), only: mailbox, into: into.flatMap { MailboxName($0) }, isRehearsal: dryRun)
    let report = try await options.transfer { (transfer) throws(TransferError) in
      try await importMail(
        plan, to: address, dataDirectory: transfer.directory, messageSize: transfer.messageSize, clock: .system,
        logger: transfer.logger, progress: transfer.progress)
    }
    if options.json {
      say(json(report))
    } else {
      printReport(report)
    }
    try await warnOfQuota()
    if report.failed > 0 { throw ExitCode.warnings }
  }

  private func importSource() throws -> ImportPlan.Source {
    guard IMAPLocation.isURL(source) else { return .path(source, format: format) }
    do {
      let location = try IMAPLocation(source)
      let trust = try trust.trust()
      let secret = try password.password(for: "\(location.user) at \(location.host)", isNew: false)
      return .imap(
        IMAPAccess(location: location, password: secret, trust: trust, allowsPlaintext: self.trust.plaintext))
    } catch let error as TransferError {
      options.complainOf(error.description)
      throw ExitCode.failed
    }
  }

  private func printReport(_ report: ImportReport) {
    for mailbox in report.mailboxes {
      var line = "\(mailbox.name): \(mailbox.imported) \(report.isRehearsal ? "to import" : "imported")"
      if mailbox.known > 0 { line += ", \(mailbox.known) were there already" }
      if mailbox.keepsUIDs { line += ", with their UIDs" }
      if mailbox.source != mailbox.name { line += " (from \(mailbox.source))" }
      say(line)
    }
    say(
      "\(report.imported) messages \(report.isRehearsal ? "to import" : "imported"), \(report.known) were there already"
        + (report.failed > 0 ? ", \(report.failed) failed" : ""))
    printProblems(report.problems, of: report.failed, remarks: report.remarks)
  }

  /// An import may fill more than the account may hold; the mail is there, and the next delivery will be refused.
  private func warnOfQuota() async throws {
    guard !dryRun, case .account(let account) = try await options.quietly(.quota(address: address, change: nil))
    else { return }
    let isOver =
      account.quota.bytes.map { $0 < account.usage.bytes ?? 0 } ?? false
      || account.quota.messages.map { $0 < account.usage.messages ?? 0 } ?? false
    if isOver {
      complain("\(account.address) now holds more than its quota: no more mail comes in until that is raised")
    }
  }
}

/// Whose certificates are believed, and whether there have to be any.
struct TrustOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Believe the certificates of these authorities (PEM).", valueName: "file"))
  var ca: String?

  @Flag(help: "Believe any certificate: whoever is in between can read the password and the mail.")
  var insecure = false

  @Flag(help: "With imap://: do without TLS. The password and the mail can be read on the way.")
  var plaintext = false

  func trust() throws(TransferError) -> IMAPAccess.Trust {
    if insecure {
      complain("warning: the server's certificate is not checked")
      return .anyone
    }
    guard let ca else { return .system }
    do throws(FileProblem) {
      return .authorities(try readFileBytes(ca, limit: 4 << 20))
    } catch {
      throw .source("\(error)")
    }
  }
}

/// What could not be done, on standard error: first what failed, then what is only remarkable.
func printProblems(_ problems: [ImportReport.Problem], of count: Int, remarks: [String]) {
  for problem in problems { complain("\(problem.mailbox): \(problem.reason)") }
  if count > problems.count { complain("and \(count - problems.count) more") }
  for remark in remarks { complain("note: \(remark)") }
}
