import ArgumentParser
import MailServer

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "The configuration: check it, show it, print the reference.",
    subcommands: [Check.self, Show.self, Example.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Find every mistake. Exit code 0: none, 2: oddities only, 78: mistakes.")
    @OptionGroup var source: ConfigurationOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
      var loaded = LoadedConfiguration(sources: source.sources())
      loaded.requireHostname()
      loaded.checkCertificates()
      loaded.checkTransports()
      if json {
        say(
          martlet.json(["problems": loaded.problems.map(\.description), "warnings": loaded.warnings.map(\.description)])
        )
      } else {
        for problem in loaded.problems { say(problem.description) }
        for warning in loaded.warnings { say("warning: \(warning)") }
        if loaded.problems.isEmpty && loaded.warnings.isEmpty { say("the configuration is good") }
      }
      guard loaded.problems.isEmpty else { throw ExitCode.configuration }
      guard loaded.warnings.isEmpty else { throw ExitCode.warnings }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show every value and where it came from.")
    @OptionGroup var source: ConfigurationOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
      let shown = try source.load().shown
      if json {
        say(
          martlet.json(
            shown.map { Row(key: $0.path, values: $0.values, origin: $0.origin, variable: $0.environmentName) }))
        return
      }
      for setting in shown {
        let values = setting.values.filter { !$0.isEmpty }
        say("\(setting.path) = \(values.isEmpty ? "(nothing)" : values.joined(separator: " "))  # \(setting.origin)")
      }
    }

    private struct Row: Encodable {
      var key: String
      var values: [String]
      var origin: String
      var variable: String
    }
  }

  struct Example: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the commented reference file.")
    func run() { print(exampleConfiguration(), terminator: "") }
  }
}
