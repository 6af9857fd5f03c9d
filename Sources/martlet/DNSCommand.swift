import ArgumentParser
import MailServer
import MessageFormat

struct DNSCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dns", abstract: "What DNS has to say for mail to flow.",
    subcommands: [Records.self, Check.self])

  /// Which domain is meant, and where the server is.
  struct Subject: ParsableArguments {
    @Argument(help: "A domain of this server. [default: domain in the configuration, else the only one]")
    var domain: String?
    @Option(
      help: ArgumentHelp(
        "Where the world reaches the server (repeatable). [default: this machine's public addresses]",
        valueName: "address"))
    var address: [String] = []

    func identity(_ options: AdministrativeOptions) async throws -> (MailIdentity, Configuration) {
      let configuration = try options.source.load(requiresHostname: true).configuration
      let operation = AdministrativeOperation.mailDomain(domain ?? configuration.domain?.text)
      switch try await options.quietly(operation) {
      case .mailDomain(let summary):
        do throws(StartupError) {
          return (try MailIdentity(of: summary, configuration, addresses: address), configuration)
        } catch {
          options.complainOf(error.description)
        }
      case .failed(let text): options.complainOf(text)
      default: options.complainOf("the server's reply is not one that this version knows")
      }
      throw ExitCode.failed
    }
  }

  struct Records: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the records that a domain should have, as a zone file.")
    @OptionGroup var subject: Subject
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let (identity, _) = try await subject.identity(options)
      say(options.json ? json(identity.recordSummaries) : identity.zoneText)
    }
  }

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Compare DNS with what it should say (exit code 0, 2 for warnings, 1 for failures).")
    @OptionGroup var subject: Subject
    @OptionGroup var options: AdministrativeOptions

    func run() async throws {
      let (identity, configuration) = try await subject.identity(options)
      let report: DNSReport
      do throws(StartupError) {
        report = try await identity.check(configuration)
      } catch {
        options.complainOf(error.description)
        throw ExitCode.failed
      }
      if options.json { say(json(report)) } else { for line in lines(of: report) { say(line) } }
      switch report.worst {
      case .right, .advice: break
      case .warning: throw ExitCode.warnings
      case .failure: throw ExitCode.failed
      }
    }
  }
}

private func lines(of report: DNSReport) -> [String] {
  var lines: [String] = []
  for finding in report.findings {
    let head = padded(label(finding.severity), 9) + padded(finding.subject, 9)
    lines.append(head + [finding.name, finding.text].filter { !$0.isEmpty }.joined(separator: "  "))
    if let remedy = finding.remedy { lines.append(padded("", 18) + "→ \(remedy)") }
  }
  let counts = [DNSFinding.Severity.failure, .warning, .advice].map { severity in
    (severity, report.findings.count { $0.severity == severity })
  }
  let found = counts.filter { $0.1 > 0 }.map { "\($0.1) \(plural($0.0, $0.1))" }
  lines.append("\(report.domain): " + (found.isEmpty ? "all is right" : found.joined(separator: ", ")))
  return lines
}

private func label(_ severity: DNSFinding.Severity) -> String {
  severity == .right ? "ok" : severity.rawValue
}

private func plural(_ severity: DNSFinding.Severity, _ count: Int) -> String {
  switch severity {
  case .failure, .warning: severity.rawValue + (count == 1 ? "" : "s")
  case .advice: count == 1 ? "piece of advice" : "pieces of advice"
  case .right: "right"
  }
}

private func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(width - text.count, 0))
}
