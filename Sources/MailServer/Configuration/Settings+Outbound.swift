import DNS
import MessageFormat
import Networking

extension Settings {
  /// How mail goes to other servers.
  static let outbound: [Setting] = [
    Setting(
      path: "outbound.enabled",
      about: ["Send mail to other servers. Without, submission takes mail for addresses here only."],
      example: "true",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.isEnabled = try boolean(text)
      },
      values: { [String($0.outbound.isEnabled)] }),
    Setting(
      path: "outbound.smarthost",
      about: [
        "Hand all of it that no route takes to this server, for those whose port 25 is closed: smtps://user@mail.example.net",
        "(TLS from the start, port 465) or smtp://user@mail.example.net:587 (STARTTLS). Its certificate must be good.",
      ],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        if text.isEmpty { return configuration.outbound.smarthost = nil }
        guard let smarthost = ServerAddress(text), smarthost.scheme != .lmtp else {
          throw EntryProblem(expected: "smtps://user@host or smtp://user@host:587, not \(quoted(text))")
        }
        configuration.outbound.smarthost = smarthost
      },
      values: { [$0.outbound.smarthost.map { "\($0)" } ?? ""] }),
    Setting(
      path: "outbound.smarthost_password",
      about: ["Its password; better in a file: MARTLET_OUTBOUND_SMARTHOST_PASSWORD__FILE."],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.smarthostPassword = text.isEmpty ? nil : text
      },
      values: { [$0.outbound.smarthostPassword == nil ? "" : "<hidden>"] }),
    Setting(
      path: "outbound.transports",
      about: [
        "Other ways for mail to leave, by name. A server is smtps://user@host (TLS from the start, port 465),",
        "smtp://user@host:587 (STARTTLS), lmtp://host:24 or lmtp:///PATH of a socket; without one, mail goes by MX records.",
        "tls is the least that will do: opportunistic (whatever the other side wants), required (with any certificate),",
        "verified (by a known authority, or TLSA records; the default for smtp and smtps), dane (TLSA records only).",
        "refuse sends mail back with these words. For example:",
        "  - name: hub",
        "    server: smtps://user@mail.example.net",
        "    password_file: /etc/martlet/hub.password",
        "  - name: archive",
        "    server: lmtp:///run/archive/lmtp",
        "  - name: closed",
        "    refuse: We do not write to them.",
      ],
      example: "[]",
      change: .restart,
      form: .list(fields: TransportSetting.fieldNames) { configuration, entries in
        let (transports, problems) = parsed(entries) { entry throws(EntryProblem) in
          try TransportSetting(parsing: entry)
        }
        configuration.outbound.transports = transports
        return problems
      },
      values: { $0.outbound.transports.map(\.text) }),
    Setting(
      path: "outbound.routes",
      about: [
        "Which mail takes which transport: by the recipient's domain (example.net, .example.net for the names below it, * for",
        "all), by the sender's, or both; the first that matches counts. direct is by MX records. tls raises the transport's",
        "own. For example:",
        "  - to: partner.example",
        "    tls: verified",
        "  - from: news.example.org",
        "    transport: hub",
        "  - to: [archive.example, .archive.example]",
        "    transport: archive",
      ],
      example: "[]",
      change: .restart,
      form: .list(fields: RouteSetting.fieldNames) { configuration, entries in
        let (routes, problems) = parsed(entries) { entry throws(EntryProblem) in try RouteSetting(parsing: entry) }
        configuration.outbound.routes = routes
        return problems
      },
      values: { $0.outbound.routes.map(\.text) }),
    Setting(
      path: "outbound.resolver",
      about: [
        "Who answers questions about names: system (as /etc/resolv.conf has it), recursive (nobody in between), or addresses",
        "separated by spaces. Signatures are checked here; only where the system's name servers hide them, none are.",
      ],
      example: "system",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        switch text {
        case "system": configuration.outbound.resolver = .system
        case "recursive": configuration.outbound.resolver = .recursion
        default:
          let servers = text.split(separator: " ").map(String.init)
          guard !servers.isEmpty,
            servers.allSatisfy({ IPAddress(String($0.prefix { $0 != "@" })) != nil })
          else { throw EntryProblem(expected: "system, recursive or addresses, not \(quoted(text))") }
          configuration.outbound.resolver = .forwarders(servers)
        }
      },
      values: { configuration in
        switch configuration.outbound.resolver {
        case .system: ["system"]
        case .recursion: ["recursive"]
        case .forwarders(let servers): [servers.joined(separator: " ")]
        }
      }),
    Setting(
      path: "outbound.trust_anchors",
      about: ["A file with the keys of the root zone, by which signed answers are known. Empty: nothing counts as signed."],
      example: "/usr/share/dns/root.key",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.trustAnchors = text.isEmpty ? nil : text
      },
      values: { [$0.outbound.trustAnchors ?? ""] }),
    Setting(
      path: "outbound.authorities",
      about: [
        "A PEM file of the authorities that the certificates of a smarthost, of hosts where a route demands it, and of hosts and",
        "policies under MTA-STS, must come from, in place of the system's.",
      ],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.authorities = text.isEmpty ? nil : text
      },
      values: { [$0.outbound.authorities ?? ""] }),
    Setting(
      path: "outbound.tls_reports",
      about: [
        "Tell other domains once a day how TLS with their servers went, where they ask for it (RFC 8460). By mail only",
        "if the domain of tls_report_contact has keys that sign its mail.",
      ],
      example: "true",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.sendsTLSReports = try boolean(text)
      },
      values: { [String($0.outbound.sendsTLSReports)] }),
    Setting(
      path: "outbound.tls_report_contact",
      about: [
        "Where these reports come from, and whom to ask about them: an address in a domain of yours. Empty: postmaster",
        "of the domain above.",
      ],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        if text.isEmpty { return configuration.outbound.reportContact = nil }
        guard let address = EmailAddress(text) else {
          throw EntryProblem(expected: "an address such as postmaster@example.org, not \(quoted(text))")
        }
        configuration.outbound.reportContact = address
      },
      values: { [$0.outbound.reportContact.map { "\($0)" } ?? ""] }),
    Setting(
      path: "outbound.tls_report_organization",
      about: ["The organization that the reports name. Empty: the contact's domain."],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.reportOrganization = text.isEmpty ? nil : text
      },
      values: { [$0.outbound.reportOrganization ?? ""] }),
    Setting(
      path: "outbound.name",
      about: ["The name that other servers are greeted with, if it is not the hostname."],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.name = text.isEmpty ? nil : try domain(text, "a host name").text
      },
      values: { [$0.outbound.name ?? ""] }),
    Setting(
      path: "outbound.addresses",
      about: ["Addresses of this machine to come from, at most one of each family, separated by spaces."],
      example: "\"\"",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        let addresses = text.split(separator: " ").map(String.init)
        guard addresses.allSatisfy({ IPAddress($0) != nil }) else {
          throw EntryProblem(expected: "IP addresses separated by spaces, not \(quoted(text))")
        }
        configuration.outbound.sources = addresses
      },
      values: { [$0.outbound.sources.joined(separator: " ")] }),
    Setting(
      path: "outbound.port",
      about: ["The port of other servers. Only for trying things."],
      example: "25",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.port = try number(text, 1...65_535)
      },
      values: { [String($0.outbound.port)] }),
    Setting(
      path: "outbound.policy_port",
      about: ["The port where policies of MTA-STS are fetched. Only for trying things."],
      example: "443",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.policyPort = try number(text, 1...65_535)
      },
      values: { [String($0.outbound.policyPort)] }),
    Setting(
      path: "outbound.first_retry",
      about: ["After a failure that may pass it is tried again; each further pause is twice as long, up to 4 hours."],
      example: "150s",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.firstRetry = try duration(text)
      },
      values: { ["\($0.outbound.firstRetry.components.seconds)s"] }),
    Setting(
      path: "outbound.warns_after",
      about: ["When the sender is told that it takes longer."],
      example: "4h",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.warnsAfter = try longDuration(text)
      },
      values: { [shownLongDuration($0.outbound.warnsAfter)] }),
    Setting(
      path: "outbound.gives_up_after",
      about: ["When a message comes back to its sender."],
      example: "5d",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.givesUpAfter = try longDuration(text)
      },
      values: { [shownLongDuration($0.outbound.givesUpAfter)] }),
    Setting(
      path: "outbound.longest_hold",
      about: ["How long a client may have a message held back before it is sent (FUTURERELEASE)."],
      example: "30d",
      change: .restart,
      form: .scalar { configuration, text throws(EntryProblem) in
        configuration.outbound.longestHold = try longDuration(text)
      },
      values: { [shownLongDuration($0.outbound.longestHold)] }),
  ]
}
