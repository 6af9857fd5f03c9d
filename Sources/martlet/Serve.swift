import ArgumentParser
import Logging
import MailServer
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the server.",
    discussion: """
      Stops on SIGTERM or SIGINT: no new connections, messages in flight are finished, sessions are told. SIGHUP reads \
      the configuration and the certificates again.
      """)

  @OptionGroup var source: ConfigurationOptions
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let signals = await SignalLoop()
    let loaded = try source.load(options.overrides, requiresHostname: true)
    let configuration = loaded.configuration
    guard let hostname = configuration.hostname else { throw ExitCode.configuration }
    let output = openLog(configuration.log, descriptor: STDOUT_FILENO)
    let server: RunningServer
    do throws(StartupError) {
      server = try await RunningServer.start(
        ServerPlan(configuration: configuration, hostname: hostname.text), output: output,
        serviceManager: ServiceManager(environment: processEnvironment()))
    } catch {
      output.close()
      complain(error.description)
      throw ExitCode.failed
    }
    let sources = source.sources(options.overrides)
    await signals.run(server) {
      var loaded = LoadedConfiguration(sources: sources)
      loaded.requireHostname()
      return loaded
    }
    output.close()
  }
}

/// Sets up the process's log. Libraries that log by themselves use it too.
func openLog(_ settings: LogSettings, descriptor: Int32) -> LogOutput {
  let output = LogOutput(
    writer: LogWriter(descriptor: descriptor), format: settings.format, level: settings.effectiveLevel, clock: .system)
  LoggingSystem.bootstrap { _ in EventLogHandler(output: output) }
  return output
}
