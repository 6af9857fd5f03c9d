import Cryptography

/// A configuration with its story: where each value came from and everything that was wrong.
package struct LoadedConfiguration: Sendable {
  package var configuration = Configuration()
  /// By setting path; what is missing has its default.
  package var origins: [String: ConfigurationOrigin] = [:]
  package var problems: [ConfigurationProblem] = []
  /// Things that are odd and harm nothing.
  package var warnings: [ConfigurationProblem] = []

  /// Reads the file, then the environment over it, then the flags over both.
  package init(sources: ConfigurationSources) {
    if let path = sources.file { readFile(path) }
    readEnvironment(sources.environment)
    for override in sources.overrides { set(override.path, to: override.values, from: .flag(override.flag)) }
    for problem in configuration.outbound.routeProblems {
      let place = (origins[problem.path] ?? .standard).description
      problems.append(ConfigurationProblem(place: place, path: problem.path, text: "expected \(problem.expected)"))
    }
  }

  /// What `config show` prints.
  package var shown: [ShownSetting] {
    Settings.all.map { setting in
      ShownSetting(
        path: setting.path, values: setting.values(configuration),
        origin: (origins[setting.path] ?? .standard).description, environmentName: setting.environmentName)
    }
  }

  /// Adds the problem of a server without a name; commands that only open the store do without one.
  package mutating func requireHostname() {
    guard configuration.hostname == nil, !problems.contains(where: { $0.path == "hostname" }) else { return }
    problems.append(
      ConfigurationProblem(
        place: "configuration", path: "hostname",
        text: "expected the server's full name such as mail.example.org, but nothing sets it: "
          + "hostname: in the file, MARTLET_HOSTNAME or --hostname"))
  }
}

extension LoadedConfiguration {
  /// Reads the certificates too: whether they are there, whole, and with the key that belongs to them.
  package mutating func checkCertificates() {
    let place = (origins["tls.certificates"] ?? .standard).description
    for files in configuration.certificates {
      do {
        try checkCertificate(
          chain: try readFileBytes(files.chain, limit: 1 << 20), key: try readFileBytes(files.key, limit: 1 << 20))
      } catch {
        problems.append(ConfigurationProblem(place: place, path: "tls.certificates", text: "\(files.chain): \(error)"))
      }
    }
  }
}

extension LoadedConfiguration {
  /// Reads the passwords of transports too.
  package mutating func checkTransports() {
    guard problems.isEmpty else { return }
    do throws(StartupError) {
      _ = try configuration.outbound.makeRoutes()
    } catch {
      problems.append(ConfigurationProblem(place: "configuration", path: "", text: "\(error)"))
    }
  }
}

/// Where the values are to be read from.
package struct ConfigurationSources: Sendable {
  package struct Override: Sendable {
    package var flag: String
    package var path: String
    package var values: [String]
    package init(flag: String, path: String, values: [String]) {
      self.flag = flag
      self.path = path
      self.values = values
    }
  }

  package var file: String?
  package var environment: [String: String]
  package var overrides: [Override]
  package init(file: String?, environment: [String: String] = [:], overrides: [Override] = []) {
    self.file = file
    self.environment = environment
    self.overrides = overrides
  }
}

package enum ConfigurationOrigin: Hashable, Sendable, CustomStringConvertible {
  case standard
  case file(String, line: Int)
  case environment(String)
  /// A file that the environment names: `MARTLET_…__FILE`.
  case namedFile(variable: String, path: String)
  case flag(String)

  package var description: String {
    switch self {
    case .standard: "default"
    case .file(let path, let line): "\(path):\(line)"
    case .environment(let name): name
    case .namedFile(let variable, let path): "\(variable) (\(path))"
    case .flag(let name): name
    }
  }
}

package struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// `martlet.yaml:3:7`, a variable, a flag.
  package var place: String
  /// The key at fault, or empty.
  package var path: String
  package var text: String

  package var description: String { path.isEmpty ? "\(place): \(text)" : "\(place): \(path): \(text)" }
}

package struct ShownSetting: Hashable, Sendable {
  package var path: String
  package var values: [String]
  package var origin: String
  package var environmentName: String
}

/// The paths of settings that differ and that a running server cannot take over.
package func settingsThatNeedRestart(_ old: Configuration, _ new: Configuration) -> [String] {
  Settings.all.filter { $0.change == .restart && $0.values(old) != $0.values(new) }.map(\.path)
}

// MARK: Environment and flags

extension LoadedConfiguration {
  private mutating func readEnvironment(_ environment: [String: String]) {
    for setting in Settings.all {
      let name = setting.environmentName
      if let text = environment[name] {
        set(setting.path, to: words(text, of: setting), from: .environment(name))
      } else if let path = environment[name + "__FILE"] {
        do throws(FileProblem) {
          let text = String(decoding: try readFileBytes(path, limit: 1 << 20), as: UTF8.self)
          let trimmed = text.split(whereSeparator: \.isNewline).joined(separator: " ")
          set(setting.path, to: words(trimmed, of: setting), from: .namedFile(variable: name + "__FILE", path: path))
        } catch {
          problems.append(ConfigurationProblem(place: name + "__FILE", path: setting.path, text: error.description))
        }
      }
    }
    warnAboutUnknown(environment)
  }

  /// Unknown variables do no harm (a cluster puts its own there), but a misspelt one should be found.
  private mutating func warnAboutUnknown(_ environment: [String: String]) {
    let known = Settings.all.map(\.environmentName) + ["MARTLET_CONFIG"]
    for name in environment.keys.sorted() where name.hasPrefix("MARTLET_") {
      let base = name.hasSuffix("__FILE") ? String(name.dropLast(6)) : name
      guard !known.contains(base), let meant = suggestion(for: base, among: known) else { continue }
      warnings.append(ConfigurationProblem(place: name, path: "", text: "unknown variable; did you mean \(meant)?"))
    }
  }

  private func words(_ text: String, of setting: Setting) -> [String] {
    if case .list = setting.form {
      text.split(whereSeparator: { " \t,\n".contains($0) }).map(String.init)
    } else {
      [text]
    }
  }

  private mutating func set(_ path: String, to values: [String], from origin: ConfigurationOrigin) {
    guard let setting = Settings.byPath[path] else {
      let hint = suggestion(for: path, among: Settings.all.map(\.path)).map { "; did you mean \($0)?" } ?? ""
      problems.append(
        ConfigurationProblem(place: origin.description, path: "", text: "unknown key \(quoted(path))\(hint)"))
      return
    }
    switch setting.form {
    case .scalar(let apply):
      do throws(EntryProblem) {
        try apply(&configuration, values.last ?? "")
      } catch {
        problems.append(
          ConfigurationProblem(place: origin.description, path: path, text: "expected \(error.expected)"))
      }
    case .list(_, let apply):
      for (_, problem) in apply(&configuration, values.map { .text($0) }).sorted(by: { $0.key < $1.key }) {
        problems.append(
          ConfigurationProblem(place: origin.description, path: path, text: "expected \(problem.expected)"))
      }
    }
    origins[path] = origin
  }
}
