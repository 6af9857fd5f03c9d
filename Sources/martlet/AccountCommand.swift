import ArgumentParser
import MailServer

struct AccountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "account", abstract: "Accounts: who has a mailbox and logs in.",
    subcommands: [
      Add.self, Remove.self, List.self, Show.self, Passwd.self, QuotaCommand.self, LimitCommand.self, SendAs.self,
      AppPasswordCommand.self,
    ])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add an account. The password is asked for, or read from standard input or a file.")
    @Argument var address: String
    @OptionGroup var password: PasswordOptions
    @Flag(help: "Without a password: it receives, and nobody logs in.") var noPassword = false
    @OptionGroup var quota: QuotaOptions
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let limits = quota.text ?? QuotaText()
      let secret = noPassword ? nil : try password.password(for: address)
      try await options.perform(.addAccount(address: address, password: secret, quota: limits))
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove an account with its mail.")
    @Argument var address: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.removeAccount(address)) }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the accounts.")
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.listAccounts) }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show an account: its use, its addresses, whom it may send as and how much.")
    @Argument var address: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.accountDetails(address)) }
  }

  struct Passwd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Set an account's password.")
    @Argument var address: String
    @OptionGroup var password: PasswordOptions
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let secret = try password.password(for: address)
      try await options.perform(.setPassword(address: address, password: secret))
    }
  }

  struct QuotaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "quota", abstract: "Show an account's use and limits, or set the limits.")
    @Argument var address: String
    @OptionGroup var quota: QuotaOptions
    @Flag(help: "No limits.") var none = false
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      try await options.perform(.quota(address: address, change: none ? QuotaText() : quota.text))
    }
  }

  struct AppPasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "app-password", abstract: "Further passwords of an account, each for one device.",
      subcommands: [AddAppPassword.self, ListAppPasswords.self, RemoveAppPassword.self])
  }

  struct AddAppPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Make one; it is shown once.")
    @Argument var address: String
    @Argument(help: "What it is for, such as \"phone\".") var label: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.addAppPassword(address: address, label: label)) }
  }

  struct ListAppPasswords: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
    @Argument var address: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.listAppPasswords(address: address)) }
  }

  struct RemoveAppPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "remove", abstract: "Remove one.")
    @Argument var address: String
    @Argument var label: String
    @OptionGroup var options: AdministrativeOptions
    func run() async throws { try await options.perform(.removeAppPassword(address: address, label: label)) }
  }
}

/// Limits on the command line.
struct QuotaOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The most an account may hold, such as 5GB.", valueName: "size"))
  var size: String?

  @Option(help: ArgumentHelp("The most messages it may hold.", valueName: "count"))
  var messages: Int64?

  func validate() throws {
    if let size, parseSize(size) == nil {
      throw ValidationError("--size \(size): expected a size such as 500MB or 5GB")
    }
    if let messages, messages < 0 { throw ValidationError("--messages: expected a count") }
  }

  var text: QuotaText? {
    guard size != nil || messages != nil else { return nil }
    return QuotaText(bytes: size.flatMap(parseSize).map { Int64($0) }, messages: messages)
  }
}
