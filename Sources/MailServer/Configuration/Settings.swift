import Logging
import MessageFormat
import SMTP

/// All keys, in the order of the reference file.
enum Settings {
  static let all: [Setting] = [
    Setting(
      path: "hostname",
      about: [
        "The server's own full name, as its MX record and clients know it. Required."
      ],
      example: "mail.example.org",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.hostname = try domain(text, "a full host name such as mail.example.org")
      },
      values: { [$0.hostname?.text ?? ""] }),
    Setting(
      path: "domain",
      about: [
        "A domain to receive mail for; it is made at start if it is missing.",
        "More domains: martlet domain add example.net",
      ],
      example: "example.org",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.domain = try domain(text, "a domain such as example.org")
      },
      values: { [$0.domain?.text ?? ""] }),
    Setting(
      path: "data",
      about: ["The directory that holds everything: messages, accounts, keys. One process at a time uses it."],
      example: "/var/lib/martlet",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        guard !text.isEmpty else { throw EntryProblem(expected: "a directory, not nothing") }
        configuration.dataDirectory = text
      },
      values: { [$0.dataDirectory] }),
    Setting(
      path: "listeners",
      about: [
        "Where to listen: protocol=PORT, protocol=ADDRESS:PORT, lmtp=/PATH of a socket; * is every address.",
        "Protocols: smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s; those that end in s speak TLS",
        "from the first byte, the others offer STARTTLS. The long form can name proxies (the PROXY protocol is then",
        "expected from them, and refused from everybody else):",
        "  - protocol: imaps",
        "    address: 192.0.2.10",
        "    port: 993",
        "    proxies: [192.0.2.1, 2001:db8::/64]",
      ],
      example: "\n" + ListenerService.standard.map { "  - \($0.rawValue)=*:\($0.port)" }.joined(separator: "\n"),
      change: .restart,
      form: .list(fields: ListenerSetting.fieldNames) { configuration, entries in
        let (listeners, problems) = parsed(entries) { entry throws(EntryProblem) in try ListenerSetting(parsing: entry)
        }
        configuration.listeners = listeners
        return problems
      },
      values: { configuration in
        configuration.listeners.map { listener in
          listener.proxies.isEmpty
            ? listener.text : "\(listener.text) (proxies \(listener.proxies.map(\.text).joined(separator: ", ")))"
        }
      }),
    Setting(
      path: "tls.certificates",
      about: [
        "Certificates, each with its private key, as PEM files. A client gets the one for the name it asks for, else the",
        "first. Without any, the server makes a self-signed one. SIGHUP reads the files again. For example:",
        "  - chain: /etc/letsencrypt/live/mail.example.org/fullchain.pem",
        "    key: /etc/letsencrypt/live/mail.example.org/privkey.pem",
      ],
      example: "[]",
      change: .live,
      form: .list(fields: CertificateFiles.fieldNames) { configuration, entries in
        let (files, problems) = parsed(entries) { entry throws(EntryProblem) in try CertificateFiles(parsing: entry) }
        configuration.certificates = files
        return problems
      },
      values: { $0.certificates.map { "\($0.chain):\($0.key)" } }),
    Setting(
      path: "tls.client_authorities",
      about: [
        "A PEM file of authorities. Clients are then asked for a certificate, and one of theirs with an account's address in",
        "it logs in by SASL EXTERNAL. A client with none, or with an unknown one, goes on as before.",
      ],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.clientAuthorities = text.isEmpty ? nil : text
      },
      values: { [$0.clientAuthorities ?? ""] }),
    Setting(
      path: "limits.message_size",
      about: ["The largest message, in and out (KB, MB, GB; KiB, MiB, GiB)."],
      example: "50MiB",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.messageSize = try size(text, 64 << 10...2 << 30)
      },
      values: { [shownSize($0.limits.messageSize)] }),
    Setting(
      path: "limits.recipients",
      about: ["Recipients of one message."],
      example: "1000",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.recipients = try number(text, 100...100_000)
      },
      values: { [String($0.limits.recipients)] }),
    Setting(
      path: "limits.connections",
      about: ["Connections a listener keeps open at once."],
      example: "15000",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.connections = try number(text, 1...1_000_000)
      },
      values: { [String($0.limits.connections)] }),
    Setting(
      path: "limits.connections_per_address",
      about: ["The same from one IPv4 address or one IPv6 /64."],
      example: "1000",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.connectionsPerAddress = try number(text, 1...1_000_000)
      },
      values: { [String($0.limits.connectionsPerAddress)] }),
    Setting(
      path: "limits.bodies_in_memory",
      about: ["Memory for messages on their way in, over all connections; what is beyond goes to disk first."],
      example: "64MiB",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.bodiesInMemory = try size(text, 1 << 20...1 << 40)
      },
      values: { [shownSize($0.limits.bodiesInMemory)] }),
    Setting(
      path: "limits.stop_within",
      about: ["How long a stop waits for messages in flight."],
      example: "25s",
      change: .live,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.limits.stopWithin = try duration(text)
      },
      values: { ["\($0.limits.stopWithin.components.seconds)s"] }),
    Setting(
      path: "limits.refused_solicitations",
      about: [
        "Kinds of advertising that are refused where a sender says so itself (NO-SOLICITING), separated by commas:",
        "net.example:ADV refuses net.example:ADV:ADLT, too.",
      ],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        if text.isEmpty { return configuration.refusedSolicitations = [] }
        guard let keywords = MailParameters.solicitations(text.utf8) else {
          throw EntryProblem(expected: "keywords such as net.example:ADV, separated by commas, not \(quoted(text))")
        }
        configuration.refusedSolicitations = keywords.map { $0.lowercased() }
      },
      values: { [$0.refusedSolicitations.joined(separator: ",")] }),
    Setting(
      path: "store.keep_deleted",
      about: [
        "How long expunged messages and those of deleted mailboxes can be brought back by martlet message restore; after",
        "that they are removed for good (h for hours, d for days).",
      ],
      example: "30d",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.keepDeleted = try longDuration(text)
      },
      values: { [shownLongDuration($0.keepDeleted)] }),
  ] + submission + outbound + logging

  private static let logging = [
    Setting(
      path: "log.level",
      about: ["The least serious events to log: debug, info, notice, warning, error."],
      example: "info",
      change: .live,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.log.level = try choice(text, [.debug, .info, .notice, .warning, .error])
      },
      values: { [$0.log.level.rawValue] }),
    Setting(
      path: "log.format",
      about: ["logfmt or json, one line an event, on standard output."],
      example: "logfmt",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.log.format = try choice(text, LogFormat.allCases)
      },
      values: { [$0.log.format.rawValue] }),
    Setting(
      path: "log.trace",
      about: [
        "Log the protocol dialogues too, without secrets and bodies. For looking for a fault, not for every day."
      ],
      example: "false",
      change: .live,
      form: .scalar { configuration, text throws(EntryProblem) in configuration.log.trace = try boolean(text) },
      values: { [String($0.log.trace)] }),
  ]

  static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })
}

// MARK: Texts and values

func parsed<Element>(
  _ entries: [ListEntry], _ parse: (ListEntry) throws(EntryProblem) -> Element
) -> ([Element], [Int: EntryProblem]) {
  var elements: [Element] = []
  var problems: [Int: EntryProblem] = [:]
  for (index, entry) in entries.enumerated() {
    do throws(EntryProblem) {
      elements.append(try parse(entry))
    } catch {
      problems[index] = error
    }
  }
  return (elements, problems)
}

func domain(_ text: String, _ expected: String) throws(EntryProblem) -> Domain {
  guard let domain = Domain(text), !domain.text.hasPrefix("[") else {
    throw EntryProblem(expected: "\(expected), not \(quoted(text))")
  }
  return domain
}

func number(_ text: String, _ range: ClosedRange<Int>) throws(EntryProblem) -> Int {
  guard let number = Int(text), range.contains(number) else {
    throw EntryProblem(expected: "a number from \(range.lowerBound) to \(range.upperBound), not \(quoted(text))")
  }
  return number
}

private let sizeUnits: [(String, Int)] = [
  ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000),
]

/// Octets: a number with or without a unit.
package func parseSize(_ text: String) -> Int? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let unit = text.dropFirst(digits.count).filter { $0 != " " }.lowercased()
  guard let count = Int(digits) else { return nil }
  if unit.isEmpty || unit == "b" { return count }
  guard let factor = sizeUnits.first(where: { $0.0.lowercased() == unit })?.1 else { return nil }
  let (product, overflow) = count.multipliedReportingOverflow(by: factor)
  return overflow ? nil : product
}

func size(_ text: String, _ range: ClosedRange<Int>) throws(EntryProblem) -> Int {
  guard let size = parseSize(text), range.contains(size) else {
    throw EntryProblem(
      expected: "a size from \(shownSize(range.lowerBound)) to \(shownSize(range.upperBound)), not \(quoted(text))")
  }
  return size
}

/// The size with the greatest unit that leaves no rest.
package func shownSize(_ size: Int) -> String {
  for (unit, factor) in sizeUnits where size != 0 && size % factor == 0 { return "\(size / factor)\(unit)" }
  return String(size)
}

func duration(_ text: String) throws(EntryProblem) -> Duration {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let units: [String: Int64] = ["s": 1, "m": 60]
  guard let count = Int64(digits), let unit = units[String(text.dropFirst(digits.count))], count <= 600,
    (1...600).contains(count * unit)
  else { throw EntryProblem(expected: "a time from 1s to 10m, not \(quoted(text))") }
  return .seconds(count * unit)
}

func longDuration(_ text: String) throws(EntryProblem) -> Duration {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let units: [String: Int64] = ["h": 1, "d": 24]
  guard let count = Int64(digits), let unit = units[String(text.dropFirst(digits.count))], count <= 100_000,
    (1...36_500 * 24).contains(count * unit)
  else { throw EntryProblem(expected: "a time from 1h to 36500d, not \(quoted(text))") }
  return .seconds(count * unit * 3_600)
}

func shownLongDuration(_ duration: Duration) -> String {
  let hours = duration.components.seconds / 3_600
  return hours % 24 == 0 ? "\(hours / 24)d" : "\(hours)h"
}

func choice<Value: RawRepresentable>(_ text: String, _ values: [Value]) throws(EntryProblem) -> Value
where Value.RawValue == String {
  if let value = values.first(where: { $0.rawValue == text }) { return value }
  let names = values.map(\.rawValue)
  let hint = suggestion(for: text, among: names).map { "; did you mean \($0)?" } ?? ""
  throw EntryProblem(expected: "one of \(names.joined(separator: ", ")), not \(quoted(text))\(hint)")
}

func boolean(_ text: String) throws(EntryProblem) -> Bool {
  switch text.lowercased() {
  case "true", "yes", "on", "1": return true
  case "false", "no", "off", "0": return false
  default: throw EntryProblem(expected: "true or false, not \(quoted(text))")
  }
}
