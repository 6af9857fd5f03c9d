import ArgumentParser
import MailServer

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where the configuration comes from, for every command that needs it.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The configuration file. [default: MARTLET_CONFIG, else /etc/martlet/martlet.yaml if there]", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("The data directory.", valueName: "directory"))
  var data: String?

  @Option(help: ArgumentHelp("Any key of the configuration (repeatable).", valueName: "key=value"))
  var set: [String] = []

  private static let standardPath = "/etc/martlet/martlet.yaml"

  func sources(_ more: [ConfigurationSources.Override] = [], usesStandardFile: Bool = true) -> ConfigurationSources {
    let environment = processEnvironment()
    var overrides: [ConfigurationSources.Override] = []
    for assignment in set {
      let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let values = parts.count == 2 ? [parts[1]] : [""]
      if let index = overrides.firstIndex(where: { $0.path == parts[0] }) {
        overrides[index].values += values
      } else {
        overrides.append(.init(flag: "--set \(parts[0])", path: parts[0], values: values))
      }
    }
    if let data { overrides.append(.init(flag: "--data", path: "data", values: [data])) }
    // A variable set to nothing, as compose files leave it, names no file.
    var file = config ?? environment["MARTLET_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
    if file == nil, usesStandardFile, access(Self.standardPath, F_OK) == 0 { file = Self.standardPath }
    return ConfigurationSources(file: file, environment: environment, overrides: overrides + more)
  }

  /// The configuration, or every problem on standard error and exit code 78.
  func load(
    _ more: [ConfigurationSources.Override] = [], requiresHostname: Bool = false, usesStandardFile: Bool = true
  ) throws -> LoadedConfiguration {
    var loaded = LoadedConfiguration(sources: sources(more, usesStandardFile: usesStandardFile))
    if requiresHostname { loaded.requireHostname() }
    for warning in loaded.warnings { complain("warning: \(warning)") }
    guard loaded.problems.isEmpty else {
      for problem in loaded.problems { complain("\(problem)") }
      throw ExitCode.configuration
    }
    return loaded
  }
}

/// The flags that `serve` and `dev` share.
struct ServerOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The server's own full name.", valueName: "name"))
  var hostname: String?

  @Option(help: ArgumentHelp("A domain to make at start if it is missing.", valueName: "domain"))
  var domain: String?

  @Option(
    help: ArgumentHelp(
      "Where to listen, such as imaps=127.0.0.1:993 (repeatable; replaces the configured list).",
      valueName: "protocol=place"))
  var listen: [String] = []

  @Option(help: ArgumentHelp("debug, info, notice, warning or error.", valueName: "level"))
  var logLevel: String?

  @Option(help: ArgumentHelp("logfmt or json.", valueName: "format"))
  var logFormat: String?

  @Flag(help: "Log the protocol dialogues, without secrets and bodies.")
  var trace = false

  var overrides: [ConfigurationSources.Override] {
    var overrides: [ConfigurationSources.Override] = []
    if let hostname { overrides.append(.init(flag: "--hostname", path: "hostname", values: [hostname])) }
    if let domain { overrides.append(.init(flag: "--domain", path: "domain", values: [domain])) }
    if !listen.isEmpty { overrides.append(.init(flag: "--listen", path: "listeners", values: listen)) }
    if let logLevel { overrides.append(.init(flag: "--log-level", path: "log.level", values: [logLevel])) }
    if let logFormat { overrides.append(.init(flag: "--log-format", path: "log.format", values: [logFormat])) }
    if trace { overrides.append(.init(flag: "--trace", path: "log.trace", values: ["true"])) }
    return overrides
  }
}

/// The environment as the system gave it.
func processEnvironment() -> [String: String] {
  var result: [String: String] = [:]
  var entry = environ
  while let text = entry.pointee {
    let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
    entry += 1
  }
  return result
}
