import ArgumentParser
import MailServer
import MailTransfer
import MessageFormat

struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write an account's mail to files.",
    discussion: """
      A Maildir is written as Dovecot reads it, with flags, keywords, UIDs and subscriptions; mbox files have theirs \
      in the fields that Dovecot and mutt use. The files belong to whoever runs the command. Exit code 2: some messages \
      could not be written.
      """)

  @Argument(help: "The account.") var address: String
  @Argument(help: "A directory, which must be empty if it is there.") var directory: String

  @Option(help: "maildir or mbox.")
  var format = MailFormat.maildir

  @Option(help: ArgumentHelp("Only this mailbox (repeatable).", valueName: "name"))
  var mailbox: [String] = []

  @OptionGroup var options: AdministrativeOptions

  func validate() throws {
    if format == .eml { throw ValidationError("--format: expected maildir or mbox") }
  }

  func run() async throws {
    let report = try await options.transfer { (transfer) throws(TransferError) in
      try await exportMail(
        of: address, mailboxes: mailbox, to: directory, format: format, dataDirectory: transfer.directory,
        clock: .system, logger: transfer.logger, progress: transfer.progress)
    }
    if options.json {
      say(json(report))
    } else {
      say(
        "\(report.messages) messages in \(report.mailboxes) mailboxes written to \(directory)"
          + (report.failed > 0 ? ", \(report.failed) failed" : ""))
      printProblems(report.problems, of: report.failed, remarks: report.remarks)
    }
    if report.failed > 0 { throw ExitCode.warnings }
  }
}
