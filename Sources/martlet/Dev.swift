import ArgumentParser
import Logging
import MailServer
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Run the real server at once, for trying things: on loopback, any address receives, any password logs in.",
    discussion: """
      The store is in a temporary directory that is removed at the end, unless --data names one. A certificate authority \
      and certificates are made at start. The log goes to standard error.
      """)

  @OptionGroup var source: ConfigurationOptions
  @OptionGroup var options: ServerOptions

  @Option(help: "default (1025, 1143, …), greenmail (3025, 3143, …) or auto (free ones, printed as JSON on one line).")
  var ports = DevelopmentPorts.standard

  @Option(
    help: ArgumentHelp(
      "A login; with one or more, only these log in (repeatable).", valueName: "address:password"))
  var user: [String] = []

  @Option(help: ArgumentHelp("Load DIR/<address>/<mailbox>/*.eml at start.", valueName: "directory"))
  var seed: String?

  func validate() throws {
    for text in user where DevelopmentUser(text) == nil {
      throw ValidationError("--user \(text): expected address:password, such as alice@example.test:secret")
    }
  }

  func run() async throws {
    let signals = await SignalLoop()
    // The file of the real server on this machine names the real store, where not any password should do.
    var loaded = try source.load(options.overrides, usesStandardFile: false)
    if loaded.origins["log.level"] == nil { loaded.configuration.log.level = .warning }
    let isTemporary = loaded.origins["data"] == nil
    if isTemporary {
      do throws(FileProblem) {
        loaded.configuration.dataDirectory = try makeTemporaryDirectory(prefix: "martlet-dev")
      } catch {
        complain("\(error)")
        throw ExitCode.failed
      }
    }
    let directory = loaded.configuration.dataDirectory
    defer { if isTemporary { removeTree(directory) } }

    let output = openLog(loaded.configuration.log, descriptor: STDERR_FILENO)
    defer { output.close() }
    do throws(StartupError) {
      let development = try DevelopmentServer(
        configuration: loaded.configuration, ports: ports, keepsListeners: !options.listen.isEmpty,
        users: user.compactMap { DevelopmentUser($0) }, seed: seed)
      let server = try await RunningServer.start(development.plan, output: output) { store throws(StartupError) in
        try await development.prepare(store, clock: .system)
      }
      announce(server, development, directory: directory, isTemporary: isTemporary)
      await signals.run(server) { nil }
    } catch {
      complain(error.description)
      throw ExitCode.failed
    }
  }

  private func announce(
    _ server: RunningServer, _ development: DevelopmentServer, directory: String, isTemporary: Bool
  ) {
    if ports == .auto {
      var values = server.listeners.reduce(into: [String: JSONValue]()) { values, bound in
        if case .internet(_, let port) = bound.setting.place, values[bound.setting.service.rawValue] == nil {
          values[bound.setting.service.rawValue] = .number(Int(port))
        }
      }
      values["ca"] = .text(development.authorityPath)
      values["data"] = .text(directory)
      say(json(values))
    } else {
      let who =
        user.isEmpty
        ? "any address, any password"
        : user.compactMap { DevelopmentUser($0)?.address.description }
          .joined(separator: ", ")
      say("receives: any address")
      say("logs in:  \(who)")
      for bound in server.listeners {
        if let url = bound.setting.url { say(url) }
      }
      say("CA:       \(development.authorityPath)")
      say("data:     \(directory)\(isTemporary ? " (removed at the end)" : "")")
    }
    say("martlet is ready")
  }
}

extension DevelopmentPorts: ExpressibleByArgument {}

/// What the one line of `--ports auto` holds.
private enum JSONValue: Encodable {
  case number(Int)
  case text(String)

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let number): try container.encode(number)
    case .text(let text): try container.encode(text)
    }
  }
}

extension ListenerSetting {
  /// Ready to be pasted into a client; only the first of a pair of loopback listeners.
  fileprivate var url: String? {
    guard case .internet(let host, let port) = place, !host.contains(":") else { return nil }
    let scheme =
      switch service {
      case .smtp, .lmtp, .submission: "smtp"
      case .submissions: "smtps"
      case .imap: "imap"
      case .imaps: "imaps"
      case .pop3: "pop3"
      case .pop3s: "pop3s"
      }
    let url = "\(scheme)://\(host == "*" ? "localhost" : host):\(port)"
    let note =
      switch service {
      case .smtp: "receives, no login"
      case .lmtp: "LMTP"
      case .submission: "submission, STARTTLS"
      case .submissions: "submission"
      case .imap, .pop3: "STARTTLS"
      case .imaps, .pop3s: ""
      }
    return note.isEmpty ? url : url + String(repeating: " ", count: max(1, 26 - url.count)) + note
  }
}
