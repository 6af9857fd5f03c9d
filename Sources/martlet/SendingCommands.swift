import ArgumentParser
import MailServer

/// Whom an account may send as, and how much.
extension AccountCommand {
  struct SendAs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "send-as", abstract: "Allow an account to send as others.",
      discussion: """
        An account may send as itself, and as aliases that lead to it alone. This adds an address, or every address \
        of a domain of this server: martlet account send-as alice@example.org add @example.net
        """)

    enum Action: String, CaseIterable, ExpressibleByArgument { case add, remove, list }

    @Argument var address: String
    @Argument(help: "add, remove or list.") var action: Action
    @Argument(help: "An address, or @domain.") var pattern: String?
    @OptionGroup var options: AdministrativeOptions

    func validate() throws {
      switch action {
      case .add, .remove: if pattern == nil { throw ValidationError("Missing expected argument '<pattern>'") }
      case .list: if pattern != nil { throw ValidationError("list takes no pattern") }
      }
    }

    func run() async throws {
      let change: SendAsChange? =
        switch action {
        case .add: pattern.map { .add($0) }
        case .remove: pattern.map { .remove($0) }
        case .list: nil
        }
      try await options.perform(.sendAs(address: address, change: change))
    }
  }

  struct LimitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "limit", abstract: "Show how much an account has sent to other servers and may send, or change it.",
      discussion: "0 is no limit; default takes back what was set for the account, so that the configuration counts.")

    /// A number, or `default`.
    struct Bound: ExpressibleByArgument {
      var number: Int?
      init?(argument: String) {
        if argument == "default" { return }
        guard let number = Int(argument), number >= 0 else { return nil }
        self.number = number
      }
    }

    @Argument var address: String
    @Option(help: ArgumentHelp("Messages an hour.", valueName: "count")) var messagesPerHour: Bound?
    @Option(help: ArgumentHelp("Messages a day.", valueName: "count")) var messagesPerDay: Bound?
    @Option(help: ArgumentHelp("Recipients an hour.", valueName: "count")) var recipientsPerHour: Bound?
    @Option(help: ArgumentHelp("Recipients a day.", valueName: "count")) var recipientsPerDay: Bound?
    @Option(
      help: ArgumentHelp("Of them a day, such as it has not sent to within a year.", valueName: "count"))
    var newRecipientsPerDay: Bound?
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let given: [(String, Bound?)] = [
        ("messages_per_hour", messagesPerHour), ("messages_per_day", messagesPerDay),
        ("recipients_per_hour", recipientsPerHour), ("recipients_per_day", recipientsPerDay),
        ("new_recipients_per_day", newRecipientsPerDay),
      ]
      var numbers: [String: Int?] = [:]
      for (name, bound) in given { if let bound { numbers[name] = .some(bound.number) } }
      let change = numbers.isEmpty ? nil : SendingLimitsChange(numbers: numbers)
      try await options.perform(.sendingLimits(address: address, change: change))
    }
  }
}

func lines(of limits: [SendingLimitSummary]) -> [String] {
  limits.map { limit in
    let bound = limit.limit == 0 ? "no limit" : "of \(limit.limit)"
    return "\(limit.name)  \(limit.used)  \(bound)\(limit.isOwn ? "  (this account's own)" : "")"
  }
}

func lines(of details: AccountDetails) -> [String] {
  let aliases = details.aliases.isEmpty ? [] : ["aliases: \(details.aliases.joined(separator: ", "))"]
  return [line(details.account)] + aliases
    + ["sends as: \(details.sendsAs.joined(separator: ", "))", "to other servers:"]
    + lines(of: details.sending).map { "  \($0)" }
}
